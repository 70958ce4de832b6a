// mac_address: the 48-bit address of an Ethernet interface.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace net {

struct mac_address {
  std::array<std::uint8_t, 6> bytes{};

  static constexpr mac_address broadcast() { return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
  // Six pairs of hexadecimal digits with colons between them, in either case.
  static std::optional<mac_address> parse(std::string_view text);

  [[nodiscard]] constexpr bool is_group() const { return (bytes[0] & 1U) != 0; }  // multicast and broadcast
  [[nodiscard]] std::string to_string() const;                                    // lower case

  auto operator<=>(const mac_address&) const = default;
};

}  // namespace net
