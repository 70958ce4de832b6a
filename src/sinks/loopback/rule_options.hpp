// rule_options: what the rules of the loopback sink depend on: the name of its chain, the engines' chains, and the
// addresses at which the peers connect.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/table_scope.hpp"
#include "ports/sink.hpp"

namespace loopback {

// How an engine publishes: PREROUTING jumps to `jump`, and the DNAT rules are in the chain `rules`. A name that ends
// with "*" stands for every chain with that prefix: each is one container's, and a comment in `jump` names it.
struct engine_chain {
  std::string jump;
  std::string rules;
  ports::serving served = ports::serving::rule_and_proxy;
};

// With `interface`, in privileged-service mode, the peer connects to the current addresses of that interface, and `tap`
// and `veth` are ignored. All distributions of the VM share that interface, so it never gets route_localnet: a listener
// on a loopback address is relayed.
struct rule_options {
  std::string tag{netfilter::own_tag};  // also the name of the chain
  std::vector<engine_chain> engines{{"DOCKER", "DOCKER"}};
  net::address tap = net::address::v4(192, 168, 127, 2);
  net::address veth = net::address::v4(192, 168, 143, 1);
  std::string interface;

  [[nodiscard]] netfilter::table_scope scope() const {
    netfilter::table_scope made{tag, {}};
    for (const auto& engine : engines) made.engines.push_back({engine.jump, engine.rules});
    return made;
  }
};

using wanted_ports = std::map<ports::port_key, ports::forward>;

}  // namespace loopback
