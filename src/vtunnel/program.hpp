// The program vtunnel.
#pragma once

namespace vtunnel {

// From the command line to the exit code: 0 after SIGTERM or SIGINT, 1 where it cannot start, 2 for a wrong command
// line.
int run_program(int argc, const char* const* argv);

}  // namespace vtunnel
