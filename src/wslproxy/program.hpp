// The program wsl-proxy.
#pragma once

namespace wslproxy {

// From the command line to the exit code: 0 after SIGTERM or SIGINT, 1 where it cannot start, 2 for a wrong command
// line.
int run_program(int argc, const char* const* argv);

}  // namespace wslproxy
