// control_group: the control groups that a container engine makes for a test, in every hierarchy of the machine.
#pragma once

#include <string_view>

namespace support {

// Lets the processes in the group and its subgroups go on. A frozen one, as those of a paused container, cannot be
// killed.
void thaw_control_groups(std::string_view name);

// Removes the top group of that name with its subgroups, in every hierarchy; no process may run in it any more.
void remove_control_groups(std::string_view name);

// The same for those whose maker, a test that was killed, no longer runs.
void remove_leftover_control_groups();

}  // namespace support
