#include "ports/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/shared_text.hpp"
#include "base/text.hpp"
#include "net/address.hpp"
#include "ports/binding.hpp"
#include "ports/owner_traits.hpp"
#include "ports/port_table.hpp"
#include "ports/serving.hpp"
#include "ports/source_id.hpp"
#include "rules/conditions.hpp"
#include "rules/decision.hpp"
#include "rules/owner_question.hpp"
#include "rules/problem.hpp"
#include "rules/rule_set.hpp"
#include "rules/rules_codec.hpp"

namespace ports {
namespace {

constexpr std::size_t most_port_labels = 64;  // of an owner
constexpr std::size_t longest_reason = 300;   // bytes, with what labels have done

// A label of an owner for one of its ports.
struct read_label {
  std::string_view key;
  std::uint16_t port = 0;                              // 0: its key has none
  std::expected<rules::port_label, std::string> asks;  // or why it cannot be read
};

// What is known of an owner, read once for all of its ports.
struct port_owner {
  owner_traits traits;
  std::vector<read_label> labels{};
  bool has_port_before = false;  // its reason has what is about none of the ports
};

// At a whole character.
std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0U) == 0x80) --limit;
  text.resize(limit);
  return text + "…";
}

// The port in "guestagent.ports.80/tcp".
std::uint16_t port_of(std::string_view key) {
  key.remove_prefix(rules::port_label_prefix.size());
  return base::parse_port(key.substr(0, key.find('/'))).value_or(0);
}

read_label read(const rules::label& label, const rules::known_names& names) {
  auto parsed = rules::parse_label(label.key, label.value, names);
  if (parsed) return {label.key, parsed->port, std::move(*parsed)};
  auto why = fmt::format("label {}: {}", base::printable(label.key), to_string(parsed.error().front()));
  return {label.key, port_of(label.key), std::unexpected(cut(std::move(why), longest_reason))};
}

std::vector<read_label> read_labels(const owner_traits& traits, const rules::known_names& names) {
  std::vector<read_label> all;
  for (const auto& label : traits.labels) {
    if (!label.key.starts_with(rules::port_label_prefix)) continue;
    if (all.size() == most_port_labels) {
      all.push_back({"", 0, std::unexpected(fmt::format("only {} labels for ports count", most_port_labels))});
      break;
    }
    all.push_back(read(label, names));
  }
  return all;
}

// The owners of a table's ports, by the text that the ports of one share.
class port_owners {
 public:
  explicit port_owners(std::optional<rules::known_names> label_names) : label_names_(label_names) {}

  // Valid as long as this object.
  port_owner& find(const base::shared_text& text) {
    const auto [at, is_new] = known_.try_emplace(&text.str());
    if (is_new) {
      at->second.traits = decode_traits(text);
      if (label_names_) at->second.labels = read_labels(at->second.traits, *label_names_);
    }
    return at->second;
  }

 private:
  std::optional<rules::known_names> label_names_;
  std::unordered_map<const std::string*, port_owner> known_;
};

rules::subject describe(const claim& first, const owner_traits& traits) {
  return {.source = to_string(first.source),
          .protocol = first.what.protocol,
          .address = first.what.host_address,
          .port = first.what.host_port,
          .name = traits.name,
          .labels = traits.labels,
          .name_space = traits.space,
          .image = traits.image,
          .labels_complete = traits.complete};
}

// Appends what a label has done, or why it does nothing.
void note(std::string& notes, std::string_view text) {
  if (notes.size() > longest_reason) return;
  if (!notes.empty()) notes += "; ";
  notes += text;
}

void apply_label(const rules::rule_set& set, rules::decision& by, const read_label& label, const rules::subject& s,
                 std::string& notes) {
  if (!label.asks) return note(notes, label.asks.error());
  if (label.asks->protocol != s.protocol) return;
  auto narrowed = rules::narrow(set, std::move(by), label.asks->then, s);
  by = std::move(narrowed.result);
  note(notes, fmt::format("label {}", base::printable(label.key)));
  for (const auto& why : narrowed.refusals) note(notes, why);
}

void apply_labels(const rules::rule_set& set, rules::decision& by, port_owner& owner, const rules::subject& s) {
  const bool is_first = !std::exchange(owner.has_port_before, true);
  std::string notes;
  for (const auto& label : owner.labels)
    if (label.port == s.port || (label.port == 0 && is_first)) apply_label(set, by, label, s, notes);
  if (notes.empty()) return;
  const auto decided = by.reason.empty() ? "" : cut(by.reason.str(), longest_reason / 2) + "; ";
  by.reason = cut(decided + notes, longest_reason);
}

// One for each port of the table, in its order.
std::vector<rules::decision> decide_all(const port_table& table, const placement_options& how) {
  if (!looks_at_owners(how)) return std::vector<rules::decision>(table.ports().size());
  port_owners owners(how.label_names);
  std::vector<port_owner*> owner_of;
  std::vector<rules::subject> subjects;
  for (const auto& [key, claims] : table.ports()) {
    owner_of.push_back(&owners.find(claims.front().what.traits));
    subjects.push_back(describe(claims.front(), owner_of.back()->traits));
  }
  static const rules::rule_set no_rules;
  const auto& set = how.by == nullptr ? no_rules : *how.by;
  auto decisions = rules::decide(set, subjects);
  if (how.label_names)
    for (std::size_t i = 0; i < subjects.size(); ++i) apply_labels(set, decisions[i], *owner_of[i], subjects[i]);
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

bool looks_at_owners(const placement_options& how) {
  return how.label_names || (how.by != nullptr && !how.by->rules().empty());
}

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
