#include "ports/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "net/address.hpp"
#include "ports/binding.hpp"
#include "ports/owner_traits.hpp"
#include "ports/port_table.hpp"
#include "ports/serving.hpp"
#include "rules/conditions.hpp"
#include "rules/decision.hpp"
#include "rules/owner_question.hpp"
#include "rules/rule_set.hpp"
#include "rules/rules_codec.hpp"

namespace ports {
namespace {

rules::subject describe(const claim& first, const owner_traits& traits) {
  return {.source = to_string(first.source),
          .protocol = first.what.protocol,
          .address = first.what.host_address,
          .port = first.what.host_port,
          .name = first.what.owner_name.str(),
          .labels = traits.labels,
          .name_space = traits.space,
          .image = traits.image};
}

// Appends what a label has done, or why it does nothing.
void note(rules::decision& by, std::string_view text) {
  by.reason = by.reason.empty() ? std::string(text) : fmt::format("{}; {}", by.reason.str(), text);
}

void apply_label(rules::decision& by, const rules::label& label, const rules::subject& s,
                 const rules::known_names& names) {
  const auto parsed = rules::parse_label(label.key, label.value, names);
  const auto shown = base::printable(label.key);
  if (!parsed) return note(by, fmt::format("label {}: {}", shown, to_string(parsed.error().front())));
  if (parsed->port != s.port || parsed->protocol != s.protocol) return;
  auto narrowed = rules::narrow(std::move(by), parsed->then, s);
  by = std::move(narrowed.result);
  note(by, fmt::format("label {}", shown));
  for (const auto& why : narrowed.refusals) note(by, why);
}

// "guestagent.ports.80/tcp" is about port 80; one that cannot be read may be about any.
bool may_be_about(std::string_view key, std::uint16_t port) {
  key.remove_prefix(rules::port_label_prefix.size());
  const auto number = base::parse_port(key.substr(0, key.find('/')));
  return !number || *number == port;
}

void apply_labels(rules::decision& by, const rules::subject& s, const rules::known_names& names) {
  for (const auto& label : s.labels)
    if (label.key.starts_with(rules::port_label_prefix) && may_be_about(label.key, s.port))
      apply_label(by, label, s, names);
}

// One for each port of the table, in its order.
std::vector<rules::decision> decide_all(const port_table& table, const placement_options& how) {
  if (how.by == nullptr && !how.label_names) return std::vector<rules::decision>(table.ports().size());
  std::vector<owner_traits> traits;
  traits.reserve(table.ports().size());  // the subjects lead into it
  std::vector<rules::subject> subjects;
  for (const auto& [key, claims] : table.ports()) {
    traits.push_back(decode_traits(claims.front().what.traits));
    subjects.push_back(describe(claims.front(), traits.back()));
  }
  static const rules::rule_set no_rules;
  auto decisions = rules::decide(how.by == nullptr ? no_rules : *how.by, subjects);
  if (how.label_names)
    for (std::size_t i = 0; i < subjects.size(); ++i) apply_labels(decisions[i], subjects[i], *how.label_names);
  return decisions;
}

// A rule may name an address of the host itself, which only its administrator knows.
net::address address_for(const net::address& ruled) {
  return ruled.is_loopback() || ruled.is_unspecified() ? host_address_for(ruled) : ruled;
}

port_key key_on_host(const port_key& published, const rules::decision& by, bool loopback_only) {
  port_key key = published;
  if (by.host_port != 0) key.port = by.host_port;
  if (by.host_address) key.address = address_for(*by.host_address);
  if (loopback_only) key.address = net::address::loopback_v4();
  return key;
}

// The rule that decides is the one of the best ranked claim.
void merge(placed_port& into, const std::vector<claim>& claims, rules::decision by) {
  const bool alone = into.claims.empty();
  if (alone || claims.front() < into.claims.front()) into.by = std::move(by);
  into.claims.insert(into.claims.end(), claims.begin(), claims.end());
  if (!alone) std::ranges::sort(into.claims);
}

// Of a port that only a rule or a socket claims. One that is announced has no owner that a rule could name.
void ask_for_owners(placement& placed, const rules::rule_set& by) {
  for (auto& port : placed.ports) {
    const auto& first = port.claims.front();
    if (first.source.knows_owners() || first.what.served == serving::announced) continue;
    port.owner_matters = rules::owner_may_decide(by, describe(first, {}));
  }
}

}  // namespace

placement place(const port_table& table, const placement_options& how) {
  placement placed;
  std::map<std::pair<port_key, std::uint16_t>, placed_port> by_key;
  auto decisions = decide_all(table, how);
  auto next = decisions.begin();
  for (const auto& [key, claims] : table.ports()) {
    auto& decision = *next++;
    if (decision.ignore) {
      placed.ignored.push_back({key, claims, std::move(decision)});
      continue;
    }
    const auto on_host = key_on_host(key, decision, how.loopback_only);
    merge(by_key[{on_host, key.port}], claims, std::move(decision));
  }
  placed.ports.reserve(by_key.size());
  for (auto& [where, port] : by_key) {
    std::tie(port.key, port.inside) = where;
    placed.ports.push_back(std::move(port));
  }
  if (how.by != nullptr) ask_for_owners(placed, *how.by);
  return placed;
}

bool allows(const rules::decision& by, std::string_view peer) {
  return !by.peers || std::ranges::find(*by.peers, peer) != by.peers->end();
}

}  // namespace ports
