// stop_programs: stops a lab's programs as systemd does.
#pragma once

#include <string>

#include "tests/support/lab.hpp"

namespace support {

// Sends SIGTERM to each running program, the agent first, and waits. Empty: all ended with 0. Otherwise a line for each
// that did not, such as one with a leak.
[[nodiscard]] std::string stop_programs(lab& l);

}  // namespace support
