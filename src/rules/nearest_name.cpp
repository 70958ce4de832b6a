#include "rules/nearest_name.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"

namespace rules {
namespace {

constexpr std::size_t longest = 40;

std::string bare(std::string_view text) {
  auto letters = base::to_lower(text);
  std::erase_if(letters, [](char c) { return c == '-' || c == '_'; });
  return letters;
}

// Letters that are wrong, missing, extra or swapped with the next (optimal string alignment).
std::size_t difference(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t wrong = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + wrong});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string_view nearest_name(std::string_view text, std::span<const std::string_view> known) {
  if (text.size() > longest) return {};
  const auto wrong = bare(text);
  std::string_view nearest;
  std::size_t least = longest;
  for (const auto name : known) {
    const auto right = bare(name);
    const auto differs = difference(wrong, right);
    if (differs >= least || 3 * differs > std::max(wrong.size(), right.size())) continue;
    least = differs;
    nearest = name;
  }
  return nearest;
}

}  // namespace rules
