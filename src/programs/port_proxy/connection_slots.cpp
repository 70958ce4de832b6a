#include "programs/port_proxy/connection_slots.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "programs/port_proxy/caller.hpp"

namespace port_proxy {

std::optional<std::size_t> choose_victim(std::span<const connection_slot> taken, const caller& newcomer,
                                         std::size_t limit) {
  std::map<caller, std::vector<std::size_t>> by_caller;  // each in the order of arrival
  auto& own = by_caller[newcomer];
  for (std::size_t i = 0; i < taken.size(); ++i) by_caller[taken[i].who].push_back(i);
  const auto count_of = [](const auto& entry) { return entry.second.size(); };
  const auto most = std::ranges::max_element(by_caller, {}, count_of);
  const auto& from = own.size() == most->second.size() ? own : most->second;
  const auto kept = std::min(limit / 2, oldest_kept);
  if (from.size() <= kept) return std::nullopt;
  return *std::min_element(from.begin() + static_cast<std::ptrdiff_t>(kept), from.end(),
                           [&](std::size_t a, std::size_t b) { return taken[a].heard < taken[b].heard; });
}

}  // namespace port_proxy
