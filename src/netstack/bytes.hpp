// Numbers in network byte order at any offset of a buffer. The caller has checked that the buffer is long enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace netstack {

using bytes_view = std::span<const std::uint8_t>;
using bytes_span = std::span<std::uint8_t>;

[[nodiscard]] constexpr std::uint16_t load_16(bytes_view from, std::size_t at) {
  return static_cast<std::uint16_t>(from[at] << 8U | from[at + 1]);
}
[[nodiscard]] constexpr std::uint32_t load_32(bytes_view from, std::size_t at) {
  return std::uint32_t{load_16(from, at)} << 16U | load_16(from, at + 2);
}
constexpr void store_16(bytes_span to, std::size_t at, std::uint16_t value) {
  to[at] = static_cast<std::uint8_t>(value >> 8U);
  to[at + 1] = static_cast<std::uint8_t>(value);
}
constexpr void store_32(bytes_span to, std::size_t at, std::uint32_t value) {
  store_16(to, at, static_cast<std::uint16_t>(value >> 16U));
  store_16(to, at + 2, static_cast<std::uint16_t>(value));
}

}  // namespace netstack
