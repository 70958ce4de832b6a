// ICMP (RFC 792): echo, and errors that quote the beginning of the packet that caused them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/ipv4.hpp"

namespace netstack::icmp {

inline constexpr std::size_t header_size = 8;

enum class type : std::uint8_t { echo_reply = 0, unreachable = 3, echo_request = 8, time_exceeded = 11 };

// Codes of type::unreachable.
enum class unreachable : std::uint8_t {
  network = 0,
  host = 1,
  protocol = 2,
  port = 3,
  fragmentation_needed = 4,  // RFC 1191: the low half of the rest is the MTU
  administratively_prohibited = 13,
};

struct message {
  std::uint8_t type = 0;  // compare with icmp::type; others exist
  std::uint8_t code = 0;
  std::uint16_t id = 0;        // echo
  std::uint16_t sequence = 0;  // echo; of fragmentation_needed the MTU
  bytes_view payload;          // echo: its data; an error: the packet that caused it

  [[nodiscard]] bool is(icmp::type t) const { return type == static_cast<std::uint8_t>(t); }
};

// nullopt for a message without a whole header or with a wrong checksum.
[[nodiscard]] std::optional<message> parse(bytes_view payload);

// What an error says about the packet that caused it. The checksum of a quoted header is not verified: routers on the
// path have changed the header.
struct quoted_packet {
  ipv4::packet packet;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};
[[nodiscard]] std::optional<quoted_packet> parse_quoted(const message& error);

[[nodiscard]] std::vector<std::uint8_t> make_echo_request(std::uint16_t id, std::uint16_t sequence, bytes_view data);

// An error about `packet`: quotes its header and as much of the payload as fits into 548 bytes (RFC 1812, 4.3.2.3).
// Only errors of kind fragmentation_needed carry `mtu`.
[[nodiscard]] std::vector<std::uint8_t> make_error(type what, std::uint8_t code, const ipv4::packet& packet,
                                                   std::uint16_t mtu = 0);

// Whether an error may be sent about this packet: never about a broadcast or multicast, a fragment other than the
// first, another ICMP error, or a source that is not one host (RFC 1122, 3.2.2).
[[nodiscard]] bool allows_error(const ipv4::packet& packet);

}  // namespace netstack::icmp
