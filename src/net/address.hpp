// address: an IPv4 or IPv6 address, one value type for both; no scope id. An IPv4-mapped IPv6 address (::ffff:a.b.c.d)
// is stored as that IPv4 address.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace net {

class address {
 public:
  constexpr address() = default;  // 0.0.0.0
  static constexpr address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    return address(false, {a, b, c, d});
  }
  // In network byte order, as in the kernel's structures.
  static address v4(const void* four_bytes);
  static address v6(const void* sixteen_bytes);
  static constexpr address any_v4() { return {}; }
  static constexpr address any_v6() { return address(true, {}); }
  static constexpr address loopback_v4() { return v4(127, 0, 0, 1); }
  static constexpr address loopback_v6() { return address(true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}); }

  // Numeric text only, without brackets and zone: "127.0.0.1", "::1".
  static std::optional<address> parse(std::string_view text);

  [[nodiscard]] constexpr bool is_v4() const { return !v6_; }
  [[nodiscard]] constexpr bool is_v6() const { return v6_; }
  [[nodiscard]] constexpr bool is_unspecified() const { return bytes_ == std::array<std::uint8_t, 16>{}; }
  [[nodiscard]] bool is_loopback() const;  // 127.0.0.0/8, ::1
  // 4 bytes for IPv4, 16 for IPv6, in network order.
  [[nodiscard]] constexpr const std::uint8_t* data() const { return bytes_.data(); }
  [[nodiscard]] std::string to_string() const;

  auto operator<=>(const address&) const = default;  // IPv4 before IPv6

 private:
  constexpr address(bool v6, std::array<std::uint8_t, 16> bytes) : v6_(v6), bytes_(bytes) {}
  bool v6_ = false;
  std::array<std::uint8_t, 16> bytes_{};  // IPv4: the first four
};

}  // namespace net
