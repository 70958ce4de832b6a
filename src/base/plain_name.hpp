// is_plain_name: whether a text from outside can be an identifier, e.g. of a container, a host or an object. Such text
// may become part of a URL, a header, a path or a rule's comment without quoting.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/text.hpp"

namespace base {

// 1 to `longest` ASCII letters, digits, '-', '.' and '_', or characters of `also`.
[[nodiscard]] constexpr bool is_plain_name(std::string_view text, std::size_t longest, std::string_view also = {}) {
  return !text.empty() && text.size() <= longest &&
         std::ranges::all_of(text, [also](char c) { return is_name_character(c) || also.contains(c); });
}

}  // namespace base
