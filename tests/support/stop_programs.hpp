// stop_programs: the end of a lab's programs, as systemd ends them.
#pragma once

#include <string>

#include "tests/support/lab.hpp"

namespace support {

// Sends SIGTERM to each program that runs, the agent first, and waits. Empty: all ended with 0. Otherwise a line for
// each that did not, as one in which LeakSanitizer finds a leak.
[[nodiscard]] std::string stop_programs(lab& l);

}  // namespace support
