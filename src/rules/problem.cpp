#include "rules/problem.hpp"

#include <algorithm>  // NOLINT(misc-include-cleaner): std::ranges::upper_bound, which it does not find
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rules/text_check.hpp"

namespace rules {

void problem_list::add(position at, std::string text, std::string hint) {
  if (is_full()) return;
  problem made{in_characters(at), std::move(text), std::move(hint)};
  all_.insert(std::ranges::upper_bound(all_, made.at, {}, &problem::at), std::move(made));
}

position problem_list::in_characters(position at) const {
  auto rest = text_;
  for (unsigned line = 1; line < at.line; ++line) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) return at;
    rest.remove_prefix(end + 1);
  }
  const auto before = rest.substr(0, at.column - std::size_t{1});
  return {at.line, static_cast<unsigned>(count_characters(before)) + 1};
}

}  // namespace rules
