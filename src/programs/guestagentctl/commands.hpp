// guestagentctl: reads the status document from a running agent's socket and prints it.
#pragma once

namespace guestagentctl {

// The whole program; returns its exit code.
int run(int argc, const char* const* argv);

}  // namespace guestagentctl
