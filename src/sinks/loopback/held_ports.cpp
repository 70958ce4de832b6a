#include "sinks/loopback/held_ports.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/own_rules.hpp"
#include "net/address.hpp"
#include "ports/binding.hpp"
#include "ports/serving.hpp"
#include "ports/sink.hpp"
#include "sinks/loopback/engine_rules.hpp"
#include "sinks/loopback/rule_label.hpp"
#include "sinks/loopback/rule_options.hpp"

namespace loopback {
namespace {

// The forward of a rule that leads to a listener; nothing if it leads to a relay.
std::optional<ports::forward> listener_of(const netfilter::dnat& d, std::string_view label) {
  const auto to = net::address::parse(d.target);
  if (!to) return std::nullopt;
  const auto owner = label == listener_label ? std::string_view{} : label;
  return ports::forward{{d.protocol, *to, d.port}, 0, {}, std::string(owner), ports::serving::host_listener};
}

}  // namespace

wanted_ports find_held(const netfilter::own_rules& own, const engine_rules& engines, const wanted_ports& wanted) {
  wanted_ports held;
  for (const auto& one : own.all()) {
    const auto d = netfilter::read_dnat(*one.spec);
    const auto label = own.label(*one.spec);
    if (!d || one.spec->chain != own.tag() || d->destination || !is_plain_id(label)) continue;
    const auto addresses = engines.addresses(*d);
    if (addresses.empty()) {
      if (auto listener = listener_of(*d, label)) held.try_emplace(listener->key, *listener);
      continue;
    }
    const auto key_at = [&d](const net::address& a) { return ports::port_key{d->protocol, a, d->port}; };
    const auto known = std::ranges::find_if(addresses, [&](const auto& a) { return wanted.contains(key_at(a)); });
    const auto key = key_at(known == addresses.end() ? addresses.front() : *known);
    held.try_emplace(key, ports::forward{key, d->target_port, {}, std::string(label), engines.serving_of(*d)});
  }
  return held;
}

}  // namespace loopback
