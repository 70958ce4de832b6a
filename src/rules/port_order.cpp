#include "rules/port_order.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "net/protocol.hpp"
#include "rules/conditions.hpp"
#include "rules/rule.hpp"

namespace rules {

// Makes the stretches of one group.
class port_order::painter {
 public:
  // A rule after those that were added before.
  void add(const port_range& range, std::size_t rule) {
    unsigned next = range.first;  // nothing before it is left to fill
    std::pair<unsigned, unsigned> whole{range.first, range.last};
    auto at = filled_.upper_bound(range.first);
    if (at != filled_.begin() && std::prev(at)->second >= range.first) --at;
    while (at != filled_.end() && at->first <= range.last) {
      if (at->first > next) fill(next, at->first - 1, rule);
      next = at->second + 1;
      whole = {std::min(whole.first, at->first), std::max(whole.second, at->second)};
      at = filled_.erase(at);
    }
    if (next <= range.last) fill(next, range.last, rule);
    filled_.insert(whole);
  }
  [[nodiscard]] stretches take() {
    std::ranges::sort(made_, {}, [](const stretch& s) { return s.ports.first; });
    return std::move(made_);
  }

 private:
  void fill(unsigned first, unsigned last, std::size_t rule) {
    made_.push_back({{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)}, rule});
  }

  std::map<unsigned, unsigned> filled_;  // the ports that have their rule: first and last of each run
  stretches made_;
};

std::vector<port_order::group_key> port_order::groups_of(const conditions& c) {
  if (c.addresses.empty()) return {{.protocol = c.protocol}};
  std::vector<group_key> keys;
  for (const auto& a : c.addresses) keys.push_back({c.protocol, a.what, a.exact});
  return keys;
}

port_order::port_order(std::span<const rule> all) {
  std::map<group_key, painter> painted;
  for (std::size_t number = 0; number < all.size(); ++number)
    for (const auto& key : groups_of(all[number].when))
      painted[key].add(all[number].when.ports.value_or(port_range{}), number);
  for (auto& [key, one] : painted) groups_.emplace(key, one.take());
}

std::optional<std::size_t> port_order::find_in(const group_key& group, std::uint16_t port) const {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return std::nullopt;
  const auto& all = found->second;
  const auto after = std::ranges::upper_bound(all, port, {}, [](const stretch& s) { return s.ports.first; });
  if (after == all.begin() || !std::prev(after)->ports.contains(port)) return std::nullopt;
  return std::prev(after)->rule;
}

std::optional<std::size_t> port_order::find_first(const subject& s) const {
  using kind = address_pattern::kind;
  std::optional<std::size_t> first;
  const auto look = [&](const group_key& group) {
    const auto found = find_in(group, s.port);
    if (found && (!first || *found < *first)) first = found;
  };
  for (const auto& protocol : {std::optional<net::protocol>(), std::optional(s.protocol)}) {
    look({.protocol = protocol});
    look({protocol, kind::exact, s.address});
    if (s.address.is_unspecified()) look({protocol, kind::wildcard, {}});
    if (s.address.is_loopback()) look({protocol, kind::loopback, {}});
  }
  return first;
}

}  // namespace rules
