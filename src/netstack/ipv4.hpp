// The IPv4 header (RFC 791). Options are accepted and skipped; we never send any.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "net/address.hpp"
#include "netstack/bytes.hpp"

namespace netstack::ipv4 {

inline constexpr std::size_t header_size = 20;
inline constexpr std::size_t most_payload = 65'535 - header_size;

// An address as a number in host order, for comparison and hashing in the flow tables.
struct address {
  std::uint32_t value = 0;

  [[nodiscard]] constexpr bool is_multicast() const { return value >> 28U == 0xe; }
  [[nodiscard]] constexpr bool is_loopback() const { return value >> 24U == 127; }
  [[nodiscard]] constexpr bool is_link_local() const { return value >> 16U == 0xa9fe; }  // 169.254.0.0/16
  [[nodiscard]] constexpr bool is_broadcast() const { return value == 0xffff'ffff; }
  auto operator<=>(const address&) const = default;
};
// `a` must be IPv4.
[[nodiscard]] address from_net(const net::address& a);
[[nodiscard]] net::address to_net(address a);

enum class protocol : std::uint8_t { icmp = 1, tcp = 6, udp = 17 };

struct packet {
  address source;
  address destination;
  std::uint8_t protocol = 0;  // compare with ipv4::protocol; others exist
  std::uint8_t ttl = 0;
  std::uint8_t type_of_service = 0;
  std::uint16_t id = 0;
  std::uint16_t fragment_offset = 0;  // in bytes
  bool more_fragments = false;
  bool dont_fragment = false;
  bytes_view header;   // with its options
  bytes_view payload;  // without the link's padding

  [[nodiscard]] bool is(ipv4::protocol p) const { return protocol == static_cast<std::uint8_t>(p); }
  [[nodiscard]] bool is_fragment() const { return more_fragments || fragment_offset != 0; }
};

enum class check : std::uint8_t { verify, skip };

// nullopt for another version, a header or total length that exceeds the bytes, a wrong checksum (unless skipped), and
// a fragment that would end beyond 65,535 bytes.
[[nodiscard]] std::optional<packet> parse(bytes_view bytes, check header_checksum = check::verify);

struct header_fields {
  address source;
  address destination;
  ipv4::protocol protocol{};
  std::uint8_t ttl = 64;
  std::uint8_t type_of_service = 0;
  std::uint16_t id = 0;
  std::uint16_t fragment_offset = 0;  // in bytes, a multiple of 8
  bool more_fragments = false;
  bool dont_fragment = false;
};

// Writes a header with its checksum to the first header_size bytes of `to`. `payload_size` is at most most_payload.
void write_header(bytes_span to, const header_fields& fields, std::size_t payload_size);

// The part of a TCP or UDP checksum that covers the addresses, the protocol and the length.
[[nodiscard]] std::uint32_t pseudo_header_sum(address source, address destination, ipv4::protocol protocol,
                                              std::size_t length);

}  // namespace netstack::ipv4
