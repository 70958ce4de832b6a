// idle_use: what the agent uses while nothing happens.
#pragma once

#include <string>

#include "tests/bench/agent/agent_arena.hpp"

namespace bench {

// What the agent takes with an engine and a host-switch, and without a port.
void print_memory_at_start(agent_arena& arena, const std::string& host_switch);

// With Docker, beside a shell that lists the nat table every three seconds, as the agent's predecessors did.
void print_idle_use(agent_arena& arena, int seconds);
// The same for containerd: an agent that starts beside our own host-switch, which keeps idle connections.
void print_idle_use_with_containerd(agent_arena& arena, int seconds);

}  // namespace bench
