// held_ports: which ports the rules of an earlier run, or of the last settling, still serve. Pure.
#pragma once

#include "kernel/netfilter/own_rules.hpp"
#include "sinks/loopback/engine_rules.hpp"

namespace loopback {

// The ports that live rules of ours serve. A rule that serves several addresses of a container's port stands for the
// first of them that is in `wanted`, otherwise for the lowest.
[[nodiscard]] wanted_ports find_held(const netfilter::own_rules& own, const engine_rules& engines,
                                     const wanted_ports& wanted);

}  // namespace loopback
