// agent_network: whether this program runs where the agent does. A port of the VM answers in the agent's network
// namespace, and perhaps in no other.
#pragma once

#include <string>

namespace guestagentctl {

// Whether the process that listens at this UNIX path is in another network namespace. What cannot be determined is
// false.
[[nodiscard]] bool is_in_other_network(const std::string& socket);

}  // namespace guestagentctl
