// nearest_name: the known name that a wrong one was perhaps meant to be.
#pragma once

#include <span>
#include <string_view>

namespace rules {

// The known name that differs least, by letters that are wrong, missing, extra or swapped; an empty one if all differ
// in more than a third of theirs. Case, hyphens and underscores make no difference.
[[nodiscard]] std::string_view nearest_name(std::string_view text, std::span<const std::string_view> known);

}  // namespace rules
