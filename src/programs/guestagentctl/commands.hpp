// guestagentctl: asks a running agent over its status socket and prints what it says.
#pragma once

namespace guestagentctl {

// The whole program; answers its exit code.
int run(int argc, const char* const* argv);

}  // namespace guestagentctl
