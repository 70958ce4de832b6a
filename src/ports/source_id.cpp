#include "ports/source_id.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

namespace ports {

std::optional<source_id> parse_source(std::string_view text, std::span<const source_id> known) {
  const auto at = std::ranges::find(known, text, &source_id::name);
  return at == known.end() ? std::nullopt : std::optional(*at);
}

}  // namespace ports
