#include "sinks/loopback/rule_plan.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/netfilter/chain_plan.hpp"
#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/own_rules.hpp"
#include "net/protocol.hpp"
#include "ports/sink.hpp"
#include "sinks/loopback/machine_state.hpp"
#include "sinks/loopback/port_ways.hpp"
#include "sinks/loopback/rule_label.hpp"
#include "sinks/loopback/rule_options.hpp"

namespace loopback {
namespace {

std::string comment_for(std::string_view label, const rule_options& options) {
  return options.tag + ':' + std::string(label);
}

netfilter::rule_spec dnat_to(const std::string& target, const ports::forward& wanted, const rule_options& options) {
  const auto& key = wanted.key;
  const std::string protocol(net::to_string(key.protocol));
  netfilter::rule_spec made{options.tag, {"-p", protocol, "-m", protocol, "--dport", std::to_string(key.port)}};
  if (key.protocol == net::protocol::tcp)
    made.words.insert(made.words.end(), netfilter::new_connections.begin(), netfilter::new_connections.end());
  made.words.insert(made.words.end(), {"-m", "comment", "--comment", comment_for(label_of(wanted.owner.str()), options),
                                       "-j", "DNAT", "--to-destination", target});
  if (key.address.is_unspecified())  // at the tap address the Service itself answers
    made.words.insert(made.words.begin(), {"-d", options.veth.to_string() + "/32"});
  return made;
}

// The rule for the port, or nothing: it is relayed in place, or its relay does not listen.
std::optional<netfilter::rule_spec> rule_for(const served_port& port, const relay_numbers& relays,
                                             const rule_options& options) {
  const auto& wanted = port.wanted;
  switch (port.by) {
    case way::copied:
      return netfilter::copied(*port.engines, options.tag, comment_for(label_of(wanted.owner.str()), options));
    case way::direct: return dnat_to(wanted.key.address.to_string(), wanted, options);
    case way::relayed: break;
    case way::relayed_in_place: return std::nullopt;
  }
  const auto number = relays.find(wanted.key);
  if (number == relays.end()) return std::nullopt;
  return dnat_to(':' + std::to_string(number->second), wanted, options);
}

netfilter::rule_spec jump_from(const peer_interface& peer, const rule_options& options) {
  return {"PREROUTING",
          {"-s", peer.network.to_string(), "-d", peer.address.to_string() + "/32", "-i", peer.device, "-m", "comment",
           "--comment", comment_for(peer_label, options), "-j", options.tag}};
}

}  // namespace

rule_plan plan_rules(const netfilter::own_rules& present, const std::vector<served_port>& served,
                     const relay_numbers& relays, const machine_state& machine, const rule_options& options) {
  rule_plan plan;
  std::vector<netfilter::rule_spec> rules, jumps;
  std::vector<ports::port_key> keys;
  std::set<std::pair<net::protocol, std::uint16_t>> taken;
  for (const auto& port : served) {
    const auto& key = port.wanted.key;
    auto made = rule_for(port, relays, options);
    if (!made) continue;
    plan.localnet = plan.localnet || (port.by == way::direct && key.address.is_loopback());
    if (!taken.emplace(key.protocol, key.port).second) continue;  // two addresses of one container's port
    rules.push_back(std::move(*made));
    keys.push_back(key);
  }
  for (const auto& peer : machine.peers) jumps.push_back(jump_from(peer, options));
  auto chain = netfilter::plan_chain(present, rules, jumps);
  for (const auto& index : chain.adds) plan.owners.push_back(index ? keys[*index] : ports::port_key{});
  plan.change = std::move(chain.change);
  return plan;
}

}  // namespace loopback
