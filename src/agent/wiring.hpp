// wiring: the composition root of the agent. Everything that the program consists of is made, connected, run and
// stopped here and nowhere else.
#pragma once

#include "agent/options.hpp"

namespace agent {

// The whole program; answers its exit code.
int run(int argc, const char* const* argv);

}  // namespace agent
