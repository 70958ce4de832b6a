#include "net/cidr.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "net/address.hpp"

namespace net {
namespace {

using byte_array = std::array<std::uint8_t, 16>;

unsigned bits_of(const address& ip) { return ip.is_v4() ? 32 : 128; }

byte_array bytes_of(const address& ip) {
  byte_array bytes{};
  std::copy_n(ip.data(), bits_of(ip) / 8, bytes.begin());
  return bytes;
}

address from_bytes(const byte_array& bytes, bool v4) {
  return v4 ? address::v4(bytes.data()) : address::v6(bytes.data());
}

// The bits of the byte at `index` that belong to the prefix.
std::uint8_t mask(unsigned index, unsigned prefix_length) {
  const unsigned kept = std::min(8U, prefix_length - std::min(prefix_length, 8 * index));
  return static_cast<std::uint8_t>(0xff00U >> kept);
}

}  // namespace

cidr::cidr(const address& ip, unsigned prefix_length) : prefix_length_(std::min(prefix_length, bits_of(ip))) {
  auto bytes = bytes_of(ip);
  for (unsigned i = 0; i < bytes.size(); ++i) bytes[i] &= mask(i, prefix_length_);
  network_ = from_bytes(bytes, ip.is_v4());
}

std::optional<cidr> cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto ip = address::parse(text.substr(0, slash));
  const auto bits = base::parse_number<unsigned>(text.substr(slash + 1));
  if (!ip || !bits || *bits > bits_of(*ip)) return std::nullopt;
  return cidr(*ip, *bits);
}

address cidr::last() const {
  auto bytes = bytes_of(network_);
  for (unsigned i = 0; i < bits_of(network_) / 8; ++i) bytes[i] |= static_cast<std::uint8_t>(~mask(i, prefix_length_));
  return from_bytes(bytes, network_.is_v4());
}

std::optional<address> cidr::at(std::uint32_t distance) const {
  auto bytes = bytes_of(network_);
  std::uint64_t rest = distance;
  for (unsigned i = bits_of(network_) / 8; i-- > 0; rest >>= 8) {
    rest += bytes[i];
    bytes[i] = static_cast<std::uint8_t>(rest);
  }
  const auto found = from_bytes(bytes, network_.is_v4());
  return rest == 0 && contains(found) ? std::optional(found) : std::nullopt;
}

bool cidr::contains(const address& ip) const {
  return ip.is_v4() == network_.is_v4() && cidr(ip, prefix_length_).network_ == network_;
}

std::string cidr::to_string() const { return network_.to_string() + "/" + std::to_string(prefix_length_); }

}  // namespace net
