#include "sinks/loopback/rule_plan.hpp"

#include <algorithm>

#include "base/plain_name.hpp"
#include "base/text.hpp"
#include "sinks/loopback/engine_rules.hpp"

namespace loopback {
namespace {

constexpr std::size_t longest_id = 200;
constexpr std::string_view listener_label = "listener";  // of a port without an owner
constexpr std::string_view unnamed_label = "unnamed";    // of an owner that does not fit into a comment
constexpr std::string_view peer_label = "peer";          // of the jumps

bool is_peer_address(const net::address& ip, const rule_options& options) {
  return options.interface.empty() && (ip == options.tap || ip == options.veth);
}

// The kernel brings packets to the listener itself. A port without one is published by rules that are not in a table of
// iptables: only a connection from inside the VM meets them. A UDP server may answer from another address than it was
// asked at, so only what is bound to a peer's address counts.
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
  const auto* engines = by_rule ? rules.find(wanted.key, wanted.owner) : nullptr;
  if (engines != nullptr && (wanted.owner.empty() || is_plain_id(wanted.owner))) return {wanted, way::copied, engines};
  if (!by_rule) return {wanted, way::relayed_in_place};
  return {wanted, can_be_direct(wanted, limits, options) ? way::direct : way::relayed};
}

// What a rule for the port would say; two keys with the same answer are served by one rule.
std::string where_to(const served_port& port, const rule_options& options) {
  if (port.engines != nullptr)
    if (const auto d = netfilter::read_dnat(*port.engines)) return d->target;
  return net::to_string(target_of(port.wanted.key, options));
}

class planner {
 public:
  planner(const engine_rules& rules, const machine_state& machine, const rule_options& options)
      : rules_(rules), machine_(machine), options_(options) {}

  void add(const served_port& port, const relay_numbers& relays) {
    const auto& key = port.wanted.key;
    const auto comment = comment_for(label_of(port.wanted.owner));
    const auto number = relays.find(key);
    if (port.by == way::relayed_in_place || (port.by == way::relayed && number == relays.end())) return;
    plan_.localnet = plan_.localnet || (port.by == way::direct && key.address.is_loopback());
    auto made = port.by == way::copied   ? netfilter::copied(*port.engines, options_.tag, comment)
                : port.by == way::direct ? port_rule(key, comment, key.address.to_string())
                                         : port_rule(key, comment, ':' + std::to_string(number->second));
    if (!taken_.emplace(key.protocol, key.port).second) return;  // two addresses of one container's port
    published_.insert(netfilter::canonical(made));
    ports_.emplace_back(std::move(made), key);
  }

  rule_plan finish() {
    if (ports_.empty()) {
      remove_chain();
    } else {
      if (!rules_.has_own_chain()) change(":" + options_.tag + " -", {});
      settle_chain();
      settle_jumps();
    }
    return std::move(plan_);
  }

 private:
  [[nodiscard]] std::string comment_for(std::string_view label) const {
    return options_.tag + ':' + std::string(label);
  }

  [[nodiscard]] netfilter::rule_spec port_rule(const ports::port_key& key, const std::string& comment,
                                               const std::string& to) const {
    const std::string protocol(net::to_string(key.protocol));
    netfilter::rule_spec made{options_.tag, {"-p", protocol, "-m", protocol, "--dport", std::to_string(key.port)}};
    if (key.protocol == net::protocol::tcp)
      made.words.insert(made.words.end(), netfilter::new_connections.begin(), netfilter::new_connections.end());
    made.words.insert(made.words.end(), {"-m", "comment", "--comment", comment, "-j", "DNAT", "--to-destination", to});
    if (key.address.is_unspecified())  // at the tap address it answers by itself
      made.words.insert(made.words.begin(), {"-d", options_.veth.to_string() + "/32"});
    return made;
  }

  [[nodiscard]] netfilter::rule_spec jump_from(const peer_interface& peer) const {
    return {"PREROUTING",
            {"-s", peer.network.to_string() + '/' + std::to_string(peer.prefix_length), "-d",
             peer.address.to_string() + "/32", "-i", peer.device, "-m", "comment", "--comment", comment_for(peer_label),
             "-j", options_.tag}};
  }

  void change(std::string line, const ports::port_key& key) {
    plan_.changes.push_back(std::move(line));
    plan_.owners.push_back(key);
  }
  void append(const netfilter::rule_spec& r, const ports::port_key& key) {
    change(netfilter::append_line(r), key);
    plan_.grown.insert(r.chain);
  }
  void remove(const engine_rules::own_rule& own) {
    if (own.handle != 0)
      plan_.removals.push_back({own.what->chain, own.handle});
    else
      change(netfilter::delete_line(*own.what), {});
  }

  // A chain can go when nothing leads to it any more, so all of it is one transaction. Rules of ours in other chains
  // are of an earlier version.
  void remove_chain() {
    for (const auto& own : rules_.ours())
      if (own.what->chain != options_.tag && netfilter::jump_of(*own.what) != options_.tag)
        remove(own);
      else if (own.what->chain != options_.tag)
        change(netfilter::delete_line(*own.what), {});
    if (!rules_.has_own_chain()) return;
    change("-F " + options_.tag, {});
    change("-X " + options_.tag, {});
  }

  // Additions come first: what only moves is never away.
  void settle_chain() {
    std::set<netfilter::rule_spec> kept;
    std::vector<engine_rules::own_rule> stale;
    for (const auto& own : rules_.ours()) {
      if (own.what->chain == "PREROUTING" && netfilter::jump_of(*own.what) == options_.tag) continue;
      auto form = netfilter::canonical(*own.what);
      if (!published_.contains(form) || !kept.insert(std::move(form)).second) stale.push_back(own);
    }
    for (const auto& own : stale)
      if (own.handle == 0) remove(own);
    for (const auto& [r, key] : ports_)
      if (!kept.contains(netfilter::canonical(r))) append(r, key);
    for (const auto& own : stale)
      if (own.handle != 0) remove(own);
  }

  // Each once, behind the last jump to another chain.
  void settle_jumps() {
    std::map<netfilter::rule_spec, netfilter::rule_spec> missing;
    for (const auto& peer : machine_.peers) {
      auto jump = jump_from(peer);
      auto form = netfilter::canonical(jump);
      missing.emplace(std::move(form), std::move(jump));
    }
    for (const auto& own : rules_.ours()) {
      if (own.what->chain != "PREROUTING" || netfilter::jump_of(*own.what) != options_.tag) continue;
      const bool behind = own.position > rules_.last_jump();
      if (!behind || missing.erase(netfilter::canonical(*own.what)) == 0) remove(own);
    }
    for (const auto& [form, jump] : missing) append(jump, {});
  }

  const engine_rules& rules_;
  const machine_state& machine_;
  const rule_options& options_;
  std::vector<std::pair<netfilter::rule_spec, ports::port_key>> ports_;
  std::set<std::pair<net::protocol, std::uint16_t>> taken_;
  std::set<netfilter::rule_spec> published_;  // canonical
  rule_plan plan_;
};

std::vector<const ports::forward*> holders_first(const wanted_ports& wanted, const port_holders& holders) {
  std::vector<const ports::forward*> all;
  all.reserve(wanted.size());
  for (const bool holds : {true, false})
    for (const auto& [key, forward] : wanted)
      if (holders.contains(key) == holds) all.push_back(&forward);
  return all;
}

// A rule of ours that leads to a listener: its key. Empty for other rules.
std::optional<ports::port_key> direct_key(const netfilter::dnat& d) {
  const auto to = net::address::parse(d.target);
  return to ? std::optional(ports::port_key{d.protocol, *to, d.port}) : std::nullopt;
}

}  // namespace

bool is_plain_id(std::string_view text) { return base::is_plain_name(text, longest_id, "/"); }

std::string_view label_of(std::string_view owner) {
  if (owner.empty()) return listener_label;
  return is_plain_id(owner) ? owner : unnamed_label;
}

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
    auto to = where_to(port, options);
    const auto [at, first] = taken.try_emplace({key.protocol, key.port}, to, key);
    if (first || at->second.first == to)
      made.served.push_back(std::move(port));
    else
      made.losers.emplace(key, "the port is served for " + to_string(at->second.second));
  }
  return made;
}

std::size_t count_published(const engine_rules& rules, const wanted_ports& wanted) {
  return static_cast<std::size_t>(std::ranges::count_if(
      wanted, [&rules](const auto& item) { return rules.find(item.first, item.second.owner) != nullptr; }));
}

wanted_ports find_held(const engine_rules& rules, const wanted_ports& wanted, const rule_options& options) {
  wanted_ports held;
  for (const auto& own : rules.ours()) {
    const auto d = netfilter::read_dnat(*own.what);
    const auto label = rules.label(*own.what);
    if (!d || own.what->chain != options.tag || d->destination || !is_plain_id(label)) continue;
    const auto addresses = rules.addresses(*d);
    if (addresses.empty()) {
      const auto owner = label == listener_label ? std::string_view{} : label;
      if (const auto key = direct_key(*d))
        held.try_emplace(*key, ports::forward{*key, 0, {}, std::string(owner), ports::serving::host_listener});
      continue;
    }
    const auto key_at = [&d](const net::address& a) { return ports::port_key{d->protocol, a, d->port}; };
    const auto known = std::ranges::find_if(addresses, [&](const auto& a) { return wanted.contains(key_at(a)); });
    const auto key = key_at(known == addresses.end() ? addresses.front() : *known);
    held.try_emplace(key, ports::forward{key, d->target_port, {}, std::string(label), rules.serving_of(*d)});
  }
  return held;
}

rule_plan plan_rules(const engine_rules& rules, const std::vector<served_port>& served, const relay_numbers& relays,
                     const machine_state& machine, const rule_options& options) {
  planner plan(rules, machine, options);
  for (const auto& port : served) plan.add(port, relays);
  return plan.finish();
}

bool leads_to_loopback(const engine_rules& rules) {
  return std::ranges::any_of(rules.ours(), [](const auto& own) {
    const auto& words = own.what->words;
    const auto option = std::ranges::find(words, "--to-destination");
    const auto to = option == words.end() || option + 1 == words.end() ? std::nullopt : net::address::parse(option[1]);
    return to && to->is_loopback();
  });
}

}  // namespace loopback
