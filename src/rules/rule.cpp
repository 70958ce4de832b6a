#include "rules/rule.hpp"

#include <cstdint>
#include <optional>
#include <variant>

#include "rules/conditions.hpp"

namespace rules {

std::optional<std::uint16_t> map_port(const host_port& to, const port_range& from, std::uint16_t port) {
  if (const auto* number = std::get_if<std::uint16_t>(&to)) return *number;
  int mapped = port;
  if (const auto* range = std::get_if<port_range>(&to)) mapped += range->first - from.first;
  if (const auto* offset = std::get_if<port_offset>(&to)) mapped += offset->by;
  if (mapped < port_range::lowest || mapped > port_range::highest) return std::nullopt;
  return static_cast<std::uint16_t>(mapped);
}

}  // namespace rules
