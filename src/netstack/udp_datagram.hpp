// The UDP header (RFC 768).
#pragma once

#include <cstdint>
#include <optional>

#include "netstack/ipv4.hpp"

namespace netstack::udp {

inline constexpr std::size_t header_size = 8;
inline constexpr std::size_t most_payload = ipv4::most_payload - header_size;  // 65,507

struct datagram {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  bytes_view payload;
};

enum class check : std::uint8_t { verify, skip };

// `packet` is a whole packet, not a fragment. nullopt for a length that exceeds the packet and for a wrong checksum; a
// checksum of zero means that the sender computed none. Bytes after the length are ignored.
[[nodiscard]] std::optional<datagram> parse(const ipv4::packet& packet, check payload_checksum = check::verify);

// Writes a header to the first header_size bytes of `to`; the payload already follows them.
void write_header(bytes_span to, ipv4::address source, ipv4::address destination, std::uint16_t source_port,
                  std::uint16_t destination_port);

}  // namespace netstack::udp
