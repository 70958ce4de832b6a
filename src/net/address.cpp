#include "net/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace net {

address address::v4(const void* four_bytes) {
  address made;
  std::memcpy(made.bytes_.data(), four_bytes, 4);
  return made;
}

address address::v6(const void* sixteen_bytes) {
  static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto* bytes = static_cast<const std::uint8_t*>(sixteen_bytes);
  if (std::equal(mapped.begin(), mapped.end(), bytes)) return v4(bytes + mapped.size());
  address made = any_v6();
  std::memcpy(made.bytes_.data(), bytes, 16);
  return made;
}

std::optional<address> address::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, terminated.data(), bytes.data()) == 1) return v4(bytes.data());
  if (inet_pton(AF_INET6, terminated.data(), bytes.data()) == 1) return v6(bytes.data());
  return std::nullopt;
}

bool address::is_loopback() const { return v6_ ? *this == loopback_v6() : bytes_[0] == 127; }

std::string address::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(v6_ ? AF_INET6 : AF_INET, bytes_.data(), text.data(), text.size());
  return text.data();
}

}  // namespace net
