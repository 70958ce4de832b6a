#include "rules/rule_index.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "rules/conditions.hpp"
#include "rules/rule.hpp"
#include "rules/rule_keys.hpp"

namespace rules {
namespace {

constexpr std::size_t few = 64;  // rules are examined one by one

// How many rules could be filed under each key.
using populations = std::unordered_map<std::uint64_t, std::uint32_t>;

struct choice {
  std::vector<rule_key> keys;
  std::uint32_t population = std::numeric_limits<std::uint32_t>::max();  // of its fullest key
};

choice choose(const conditions& c, const populations& counted) {
  choice best;
  for (auto& keys : ways_to_file(c)) {
    std::uint32_t most = 0;
    for (const auto& key : keys) most = std::max(most, counted.at(key.number));
    if (std::pair(most, keys.size()) < std::pair(best.population, best.keys.size())) best = {std::move(keys), most};
  }
  return best;
}

bool is_worth_it(const choice& chosen, std::size_t all) {
  if (chosen.keys.empty()) return false;
  const bool crowded = chosen.population > few && std::size_t{2} * chosen.population > all;
  return !crowded || chosen.keys.front().what == rule_key::kind::port;
}

bool is_label(rule_key::kind what) { return what == rule_key::kind::label || what == rule_key::kind::label_name; }

}  // namespace

rule_index::rule_index(std::span<const rule> all) {
  populations counted;
  for (const auto& r : all)
    for (const auto& keys : ways_to_file(r.when))
      for (const auto& key : keys) ++counted[key.number];
  for (std::uint32_t number = 0; number < all.size(); ++number) {
    const auto chosen = choose(all[number].when, counted);
    if (!is_worth_it(chosen, all.size())) {
      loose_.push_back(number);
      loose_or_labelled_.push_back(number);
      continue;
    }
    if (is_label(chosen.keys.front().what)) loose_or_labelled_.push_back(number);
    for (const auto& key : chosen.keys) {
      shapes_.add(key);
      auto& filed = lists_[key.number];
      if (filed.empty() || filed.back() != number) filed.push_back(number);
    }
  }
}

void rule_index::visit_lists(const subject& s, const std::function<void(list)>& visit) const {
  shapes_.visit_keys(s, [&](std::uint64_t key) {
    if (const auto found = lists_.find(key); found != lists_.end()) visit(found->second);
  });
}

}  // namespace rules
