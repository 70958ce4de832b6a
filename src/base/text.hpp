// Small pure functions on text that came from outside: total, and without allocation where possible.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base {

// The whole of `text` as a decimal number without sign-prefix '+', spaces or overflow; nullopt otherwise.
template <std::integral T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A port number that can be forwarded: 1 to 65535.
[[nodiscard]] inline std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto port = parse_number<std::uint16_t>(text);
  return port && *port != 0 ? port : std::nullopt;
}

// The characters in names of hosts, containers and objects: ASCII letters, digits, '-', '.', '_'.
[[nodiscard]] constexpr bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

[[nodiscard]] std::string_view trim(std::string_view text);                                // ASCII white space
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);  // "" gives one empty part
[[nodiscard]] std::string to_lower(std::string_view text);                                 // ASCII letters

// For log lines: bytes that are not printable ASCII as \xNN, and cut with "…" after `limit` characters.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 200);

}  // namespace base
