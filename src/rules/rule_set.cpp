#include "rules/rule_set.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rules/conditions.hpp"
#include "rules/owner_memo.hpp"
#include "rules/rule.hpp"
#include "rules/rule_index.hpp"

namespace rules {
namespace {

constexpr std::size_t few_loose = 16;  // cheaper to examine than to remember
constexpr auto none = std::numeric_limits<std::size_t>::max();

std::vector<rule> rules_of(std::vector<placed_rule>& placed) {
  std::vector<rule> all;
  all.reserve(placed.size());
  for (auto& one : placed) all.push_back(std::move(one.rule));
  return all;
}

std::string describe(std::size_t number, unsigned line, const std::string& note) {
  auto text = fmt::format("rule {}", number + 1);
  if (line != 0) text += fmt::format(" (line {})", line);
  if (!note.empty()) text += ": " + note;
  return text;
}

// One that the first pattern matches.
net::address address_in(const conditions& c) {
  if (c.addresses.empty()) return {};
  const auto& a = c.addresses.front();
  return a.what == address_pattern::kind::loopback ? net::address::loopback_v4() : a.exact;
}

// A subject that has the keys of each rule that may cover this one. Its patterns stand for names.
subject stand_in(const conditions& c, std::vector<label>& labels) {
  const auto first = [](const std::vector<glob>& patterns) {
    return patterns.empty() ? std::string_view() : std::string_view(patterns.front().text());
  };
  for (const auto& l : c.labels) labels.push_back({l.key, l.value ? std::string_view(l.value->text()) : ""});
  return {.source = c.sources.empty() ? std::string_view() : c.sources.front(),
          .address = address_in(c),
          .port = c.ports.value_or(port_range{}).first,
          .name = first(c.names),
          .labels = labels,
          .name_space = first(c.namespaces),
          .image = first(c.images)};
}

}  // namespace

rule_set::rule_set(std::vector<placed_rule> placed) : rules_(rules_of(placed)), index_(rules_), order_(rules_) {
  for (std::size_t number = 0; number < rules_.size(); ++number) {
    lines_.push_back(placed[number].line);
    descriptions_.emplace_back(describe(number, lines_.back(), rules_[number].then.note));
  }
}

rule_set::match rule_set::find_first(const subject& s, owner_memo* memo) const {
  std::size_t best = none, examined = 0;
  const auto look = [&](rule_index::list numbers) {
    for (const auto number : numbers) {
      if (number >= best) return;
      ++examined;
      if (rules_[number].when.matches(s)) best = number;
    }
  };
  index_.visit_lists(s, look);
  const auto others = s.labels_complete ? index_.loose() : index_.loose_or_labelled();
  if (memo == nullptr || others.size() <= few_loose)
    look(others);
  else
    look(memo->matching(rules_, others, s));
  return {best == none ? std::nullopt : std::optional(best), examined};
}

std::optional<std::size_t> rule_set::find_covering(std::size_t number, std::size_t& work) const {
  const auto& narrow = rules_.at(number).when;
  std::optional<std::size_t> found;
  const auto look = [&](rule_index::list numbers) {
    for (const auto earlier : numbers) {
      if (earlier >= found.value_or(number)) return;
      const auto& wide = rules_[earlier].when;
      const auto cost = wide.cost_of_covers(narrow);
      if (cost > work) {
        work = 0;
        return;
      }
      work -= cost;
      if (wide.covers(narrow)) found = earlier;
    }
  };
  std::vector<label> labels;
  index_.visit_lists(stand_in(narrow, labels), look);
  look(index_.loose());
  return found;
}

}  // namespace rules
