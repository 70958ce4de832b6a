#include "http/host_header.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.hpp"

namespace http {
namespace {

bool is_port(std::string_view text) { return text.empty() || base::parse_number<std::uint16_t>(text).has_value(); }

}  // namespace

std::optional<std::string_view> host_of(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const auto end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return std::nullopt;
  const auto host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  const auto rest = text.substr(bracketed ? end + 1 : end);
  const auto fits = [bracketed](char c) { return base::is_name_character(c) || (bracketed && c == ':'); };
  if (host.empty() || !std::ranges::all_of(host, fits)) return std::nullopt;
  if (!rest.empty() && (!rest.starts_with(':') || !is_port(rest.substr(1)))) return std::nullopt;
  return host;
}

}  // namespace http
