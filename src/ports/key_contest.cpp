#include "ports/key_contest.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "net/protocol.hpp"
#include "ports/binding.hpp"

namespace ports {
namespace {

bool is_moved(const contender& c) { return c.key.port != c.inside; }

bool comes_first(const contender& a, const contender& b) {
  return is_moved(a) != is_moved(b) ? is_moved(b) : *a.first < *b.first;
}

bool overlap(const port_key& a, const port_key& b) {
  return a.address == b.address || a.address.is_unspecified() || b.address.is_unspecified();
}

class contest {
 public:
  explicit contest(std::span<const contender> all) : all_(all), rulings_(all.size()) {}

  void enter(std::size_t number) {
    const auto& own = all_[number];
    auto& open = open_[{own.key.protocol, own.key.port}];
    for (const auto other : open) {
      const auto& there = all_[other];
      if (!overlap(own.key, there.key)) continue;
      if (own.inside != there.inside) return rule(number, standing::shadowed, other);
      if (own.key == there.key) return rule(number, standing::covered, other);
    }
    open.push_back(number);
  }

  // Of the open ones of a number those beside its wildcard are covered. All that overlap it lead where it does.
  std::vector<ruling> finish() {
    for (const auto& [port, open] : open_) {
      const auto wildcard = std::ranges::find_if(open, [this](auto n) { return all_[n].key.address.is_unspecified(); });
      if (wildcard == open.end()) continue;
      for (const auto number : open)
        if (number != *wildcard) rule(number, standing::covered, *wildcard);
    }
    return std::move(rulings_);
  }

 private:
  void rule(std::size_t number, standing is, std::size_t other) { rulings_[number] = {is, other}; }

  std::span<const contender> all_;
  std::vector<ruling> rulings_;
  std::map<std::pair<net::protocol, std::uint16_t>, std::vector<std::size_t>> open_;
};

}  // namespace

std::vector<ruling> hold_contest(std::span<const contender> all) {
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [all](auto a, auto b) { return comes_first(all[a], all[b]); });
  contest held(all);
  for (const auto number : order) held.enter(number);
  return held.finish();
}

}  // namespace ports
