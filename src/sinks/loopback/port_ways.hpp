// port_ways: the first step of a settling: which way the packets for each wanted port take. README.md has a picture of
// the ways. Pure.
//
// A way is as alive as what it leads to: the engine's rule, the wanted port, or the relay. A rule that is not (a
// crashed agent's, or a deleted container's) would make the port unreachable for the next container, and is removed at
// once.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "net/endpoint.hpp"
#include "sinks/loopback/engine_rules.hpp"

namespace loopback {

enum class way : std::uint8_t {
  copied,            // the engine's DNAT rule of the binding without its destination: to the container
  direct,            // to a listener of the VM; a loopback address takes route_localnet
  relayed,           // to a relay of this program, which listens at the peers' addresses on a port of its own
  relayed_in_place,  // without a rule: the relay listens on the port itself
};

struct served_port {
  ports::forward wanted;
  way by = way::relayed;
  const netfilter::rule_spec* engines = nullptr;  // to copy
};

// Limits at this moment.
struct way_limits {
  bool rules = true;                     // false: no table can be written
  bool localnet = true;                  // false: route_localnet cannot be set
  std::set<ports::port_key> rejected{};  // iptables rejects their rules
};

// The ports that a rule or relay of ours serves already.
using port_holders = std::set<ports::port_key>;

struct way_choice {
  std::vector<served_port> served;
  std::map<ports::port_key, std::string> losers;  // another address of the same port is served, with the reason
};

// A way for each wanted port. At the peers' addresses a port can serve one address of the VM only: the one in
// `holders`, otherwise the lowest. A listener's claim behind an engine's rule is left out: the container's claim covers
// it.
[[nodiscard]] way_choice choose_ways(const engine_rules& rules, const wanted_ports& wanted, const port_holders& holders,
                                     const way_limits& limits, const rule_options& options);

// Where the port is served inside the VM. A Service's wildcard is reached at the tap's address, because kube-proxy in
// its nftables and IPVS modes answers at the primary address only.
[[nodiscard]] net::endpoint target_of(const ports::port_key& key, const rule_options& options);

}  // namespace loopback
