#include "sinks/loopback/rule_plan.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "sinks/loopback/engine_rules.hpp"

namespace loopback {
namespace {

constexpr std::size_t longest_id = 200;

bool is_id_character(char c) { return base::is_name_character(c) || c == '/'; }

std::string host_mask(const net::address& a) { return a.to_string() + "/32"; }

// Rules of ours that are to be there, each with the port that it is for.
using rule_list = std::vector<std::pair<rule, ports::port_key>>;

class planner {
 public:
  planner(const nat_table& table, const machine_state& machine, const rule_options& options)
      : rules_(table, options), machine_(machine), options_(options) {
    plan_.pair = rules_.active() && !machine.tap_interface.empty();
  }

  void add(const ports::forward& wanted, bool by_rule) {
    const auto* engines = by_rule ? rules_.find(wanted.key, wanted.owner) : nullptr;
    // A listener with a rule in front of it is the engine's own; the container's claim comes, and names it.
    if (engines != nullptr && wanted.owner.empty()) return;
    if (engines == nullptr || !is_plain_id(wanted.owner)) return relay(wanted);
    const auto made = widened(*engines, comment(wanted.owner));
    if (!published_.insert(canonical(made)).second) return;  // two addresses of one container's port
    in_engine_chains_.emplace_back(made, wanted.key);
  }

  rule_plan finish() {
    if (plan_.pair)
      for (const auto port : machine_.sent_elsewhere) pass_by({net::protocol::tcp, options_.tap, port}, {});
    settle_engine_chains();
    settle_prerouting();
    settle_postrouting();
    for (auto& changes : {std::move(removals_), std::move(additions_)})
      for (const auto& [line, key] : changes) {
        plan_.changes.push_back(line);
        plan_.owners.push_back(key);
      }
    return std::move(plan_);
  }

 private:
  [[nodiscard]] std::string comment(std::string_view label) const { return options_.tag + ':' + std::string(label); }

  // CNI publishes by rules alone; where they are not in a table of iptables, only a connection from here meets them.
  static bool has_listener(ports::source_id source) {
    return source != ports::source_id::containerd && source != ports::source_id::iptables;
  }

  // The pair brings the tap address's packets to 127.0.0.1 in the kernel; every other way goes through user space.
  void relay(const ports::forward& wanted) {
    const auto& key = wanted.key;
    relayed_port made{key, {}};
    const bool paired = plan_.pair && key.protocol == net::protocol::tcp;
    const bool by_pair = paired && key.address == net::address::loopback_v4() && has_listener(wanted.source);
    for (const auto& at : machine_.reached)
      if (at != key.address && !(by_pair && at == options_.tap)) made.listen.push_back(at);
    if (paired && !by_pair) pass_by(key, key);
    plan_.relayed.push_back(std::move(made));
  }

  void pass_by(const ports::port_key& key, const ports::port_key& owner) {
    if (direct_ports_.emplace(key.protocol, key.port).second) direct_.emplace_back(direct_rule(key), owner);
  }

  // ACCEPT ends the nat table for the packet; all jumps to engines stand before it.
  [[nodiscard]] rule direct_rule(const ports::port_key& key) const {
    const std::string protocol(net::to_string(key.protocol));
    return {"PREROUTING",
            {"-d", host_mask(options_.tap), "-i", machine_.tap_interface, "-p", protocol, "-m", protocol, "--dport",
             std::to_string(key.port), "-m", "comment", "--comment", comment("direct"), "-j", "ACCEPT"}};
  }

  [[nodiscard]] rule to_loopback_rule() const {
    return {"PREROUTING",
            {"-d", host_mask(options_.tap), "-i", machine_.tap_interface, "-p", "tcp", "-m", "comment", "--comment",
             comment("pair"), "-j", "DNAT", "--to-destination", net::address::loopback_v4().to_string()}};
  }

  [[nodiscard]] rule from_tap_rule() const {
    return {"POSTROUTING",
            {"-o", machine_.tap_interface, "-m", "addrtype", "--src-type", "LOCAL", "-m", "comment", "--comment",
             comment("pair"), "-j", "SNAT", "--to-source", options_.tap.to_string()}};
  }

  void remove(const engine_rules::own_rule& own) {
    if (own.handle != 0)
      plan_.removals.push_back({own.what->chain, own.handle});
    else
      removals_.emplace_back(delete_line(*own.what), ports::port_key{});
  }
  void append(const rule& r, const ports::port_key& key) {
    additions_.emplace_back(append_line(r), key);
    plan_.grown.insert(r.chain);
  }

  // In front of an engine's rule for one address ours would catch its packets.
  [[nodiscard]] bool shadows(const engine_rules::own_rule& own) const {
    const auto d = read_dnat(*own.what);
    return d && own.position < rules_.last_position(own.what->chain, d->protocol, d->port);
  }

  void settle_engine_chains() {
    std::set<rule> kept;
    for (const auto& own : rules_.ours()) {
      if (own.what->chain == "PREROUTING" || own.what->chain == "POSTROUTING") continue;
      const auto form = canonical(*own.what);
      const bool keep = published_.contains(form) && !kept.contains(form) && !shadows(own);
      if (keep)
        kept.insert(form);
      else
        remove(own);
    }
    for (const auto& [r, key] : in_engine_chains_)
      if (!kept.contains(canonical(r))) append(r, key);
  }

  [[nodiscard]] std::vector<engine_rules::own_rule> ours_in(std::string_view chain) const {
    std::vector<engine_rules::own_rule> found;
    std::ranges::copy_if(rules_.ours(), std::back_inserter(found),
                         [chain](const auto& own) { return own.what->chain == chain; });
    return found;
  }

  // Each of ours once, behind the last jump, the pair's last.
  [[nodiscard]] bool in_order(const std::vector<engine_rules::own_rule>& ours, const rule& pair) const {
    std::set<rule> seen;
    for (const auto& own : ours) {
      const bool behind_pair = seen.contains(pair);
      if (own.position < rules_.last_jump() || behind_pair || !seen.insert(canonical(*own.what)).second) return false;
    }
    return true;
  }

  // Takes out what is wrong, and all of ours where they are not in order: they cannot be told apart by -D.
  void settle_prerouting() {
    rule_list target = direct_;
    if (plan_.pair) target.emplace_back(to_loopback_rule(), ports::port_key{});
    std::map<rule, std::size_t> missing;
    for (std::size_t i = 0; i < target.size(); ++i) missing.emplace(canonical(target[i].first), i);
    const auto pair = plan_.pair ? canonical(target.back().first) : rule{};
    const auto ours = ours_in("PREROUTING");
    const bool ordered = in_order(ours, pair);
    for (const auto& own : ours) {
      const auto form = canonical(*own.what);
      const bool makes_room = form == pair && missing.size() > 1;  // for those that stand before it
      if (!ordered || makes_room || missing.erase(form) == 0) remove(own);
    }
    for (std::size_t i = 0; i < target.size(); ++i)
      if (missing.contains(canonical(target[i].first))) append(target[i].first, target[i].second);
  }

  void settle_postrouting() {
    bool kept = false;
    const auto wanted = plan_.pair ? canonical(from_tap_rule()) : rule{};
    for (const auto& own : ours_in("POSTROUTING")) {
      const bool keep = plan_.pair && !kept && canonical(*own.what) == wanted;
      if (keep)
        kept = true;
      else
        remove(own);
    }
    if (plan_.pair && !kept) append(from_tap_rule(), {});
  }

  engine_rules rules_;
  const machine_state& machine_;
  const rule_options& options_;
  rule_list in_engine_chains_;
  std::set<rule> published_;  // canonical
  rule_list direct_;
  std::set<std::pair<net::protocol, std::uint16_t>> direct_ports_;
  std::vector<std::pair<std::string, ports::port_key>> removals_, additions_;
  rule_plan plan_;
};

}  // namespace

bool is_plain_id(std::string_view text) {
  return !text.empty() && text.size() <= longest_id && std::ranges::all_of(text, is_id_character);
}

bool has_engine(const nat_table& table, const rule_options& options) { return engine_rules(table, options).active(); }

std::size_t count_published(const nat_table& table, const wanted_ports& wanted, const rule_options& options) {
  const engine_rules rules(table, options);
  return static_cast<std::size_t>(std::ranges::count_if(
      wanted, [&rules](const auto& item) { return rules.find(item.first, item.second.owner) != nullptr; }));
}

wanted_ports find_held(const nat_table& table, const wanted_ports& wanted, const rule_options& options) {
  const engine_rules rules(table, options);
  wanted_ports held;
  for (const auto& own : rules.ours()) {
    const auto d = read_dnat(*own.what);
    if (!d || d->destination || !is_plain_id(rules.label(*own.what))) continue;
    const auto addresses = rules.addresses(*d);
    if (addresses.empty()) continue;
    const auto key_at = [&d](const net::address& a) { return ports::port_key{d->protocol, a, d->port}; };
    const auto known = std::ranges::find_if(addresses, [&](const auto& a) { return wanted.contains(key_at(a)); });
    const auto key = key_at(known == addresses.end() ? addresses.front() : *known);
    held.try_emplace(key, ports::forward{key, d->target_port, rules.source_of(own.what->chain),
                                         std::string(rules.label(*own.what))});
  }
  return held;
}

rule_plan plan_rules(const nat_table& table, const wanted_ports& wanted, const std::set<ports::port_key>& never_by_rule,
                     const machine_state& machine, const rule_options& options) {
  planner plan(table, machine, options);
  for (const auto& [key, forward] : wanted) plan.add(forward, !never_by_rule.contains(key));
  return plan.finish();
}

rule_plan plan_removal(const nat_table& table, const rule_options& options) {
  static const machine_state no_machine{};
  return planner(table, no_machine, options).finish();
}

}  // namespace loopback
