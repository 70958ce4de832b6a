// many_ports: containers and Services with thousands of ports that are there before the agent starts, beside bare_loop.
#pragma once

#include "tests/bench/agent/agent_arena.hpp"
#include "tests/bench/agent/event_times.hpp"
#include "tests/support/fake_kubernetes.hpp"

namespace bench {

// One container with 10,000 ports, of Docker and then of containerd, against the real host-switch.
void time_many_ports(agent_arena& arena);

// 20,000 Services, against the fake host-switch of `services`. The bare loop reads the same pages and posts one port
// after the other.
void time_many_services(agent_arena& arena, support::fake_kubernetes& api, follower& services);

}  // namespace bench
