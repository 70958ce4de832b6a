#include "rules/owner_memo.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rules/conditions.hpp"
#include "rules/rule.hpp"

namespace rules {
namespace {

// All that a condition on the owner looks at. Lengths keep "a", "bc" and "ab", "c" apart.
std::string identity_of(const subject& s) {
  std::string identity(s.labels_complete ? "" : "-");
  const auto add = [&identity](std::string_view text) {
    identity += std::to_string(text.size());
    identity += ':';
    identity += text;
  };
  add(s.source);
  add(s.name);
  add(s.name_space);
  add(s.image);
  for (const auto& l : s.labels) {
    add(l.key);
    add(l.value);
  }
  return identity;
}

}  // namespace

std::span<const std::uint32_t> owner_memo::matching(std::span<const rule> all, std::span<const std::uint32_t> loose,
                                                    const subject& s) {
  auto identity = identity_of(s);
  if (const auto known = owners_.find(identity); known != owners_.end()) return known->second;
  if (owners_.size() == most) owners_.clear();
  std::vector<std::uint32_t> found;
  for (const auto number : loose)
    if (all[number].when.matches_owner(s)) found.push_back(number);
  examined_ += loose.size();
  return owners_.emplace(std::move(identity), std::move(found)).first->second;
}

}  // namespace rules
