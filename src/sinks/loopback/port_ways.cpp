#include "sinks/loopback/port_ways.hpp"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "kernel/netfilter/dnat_rule.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "ports/binding.hpp"
#include "ports/serving.hpp"
#include "ports/sink.hpp"
#include "sinks/loopback/engine_rules.hpp"
#include "sinks/loopback/rule_label.hpp"
#include "sinks/loopback/rule_options.hpp"

namespace loopback {
namespace {

bool is_peer_address(const net::address& ip, const rule_options& options) {
  return options.interface.empty() && (ip == options.tap || ip == options.veth);
}

// The kernel brings packets to the listener itself. A UDP server may answer from another address than the one that the
// client used, so only a socket that is bound to a peer's address qualifies.
bool can_be_direct(const ports::forward& wanted, const way_limits& limits, const rule_options& options) {
  const auto& key = wanted.key;
  if (key.address.is_v6() || key.address.is_unspecified() || !has_listener(wanted.served)) return false;
  if (is_peer_address(key.address, options)) return true;
  const bool tcp_listener = key.protocol == net::protocol::tcp && is_socket(wanted.served);
  const bool localnet = limits.localnet && options.interface.empty();
  return tcp_listener && (localnet || !key.address.is_loopback());
}

served_port choose_way(const engine_rules& rules, const ports::forward& wanted, const way_limits& limits,
                       const rule_options& options) {
  const bool by_rule = limits.rules && !limits.rejected.contains(wanted.key);
  const auto* engines = by_rule ? rules.find(wanted.key, wanted.owner.str()) : nullptr;
  if (engines != nullptr && (wanted.owner.empty() || is_plain_id(wanted.owner.str())))
    return {wanted, way::copied, engines};
  if (!by_rule) return {wanted, way::relayed_in_place};
  return {wanted, can_be_direct(wanted, limits, options) ? way::direct : way::relayed};
}

// The target of the port's rule. One rule serves two keys with the same target.
std::string rule_target(const served_port& port, const rule_options& options) {
  if (port.engines != nullptr)
    if (const auto d = netfilter::read_dnat(*port.engines)) return d->target;
  return net::to_string(target_of(port.wanted.key, options));
}

std::vector<const ports::forward*> holders_first(const wanted_ports& wanted, const port_holders& holders) {
  std::vector<const ports::forward*> all;
  all.reserve(wanted.size());
  for (const bool holds : {true, false})
    for (const auto& [key, forward] : wanted)
      if (holders.contains(key) == holds) all.push_back(&forward);
  return all;
}

}  // namespace

net::endpoint target_of(const ports::port_key& key, const rule_options& options) {
  return {key.address.is_unspecified() ? options.tap : key.address, key.port};
}

way_choice choose_ways(const engine_rules& rules, const wanted_ports& wanted, const port_holders& holders,
                       const way_limits& limits, const rule_options& options) {
  way_choice made;
  std::map<std::pair<net::protocol, std::uint16_t>, std::pair<std::string, ports::port_key>> taken;
  for (const auto* forward : holders_first(wanted, holders)) {
    const auto& key = forward->key;
    auto port = choose_way(rules, *forward, limits, options);
    if (port.engines != nullptr && forward->owner.empty()) continue;
    auto target = rule_target(port, options);
    const auto [at, first] = taken.try_emplace({key.protocol, key.port}, target, key);
    if (first || at->second.first == target)
      made.served.push_back(std::move(port));
    else
      made.losers.emplace(key, "the port is served for " + to_string(at->second.second));
  }
  return made;
}

}  // namespace loopback
