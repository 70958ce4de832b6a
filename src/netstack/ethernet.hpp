// Ethernet II frames without their check sequence, as a tap device and the links carry them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "net/mac_address.hpp"
#include "netstack/bytes.hpp"

namespace netstack::ethernet {

inline constexpr std::size_t header_size = 14;

enum class ethertype : std::uint16_t { ipv4 = 0x0800, arp = 0x0806, ipv6 = 0x86dd };

struct frame {
  net::mac_address destination;
  net::mac_address source;
  std::uint16_t type = 0;  // compare with ethertype; others exist
  bytes_view payload;      // into what was parsed

  [[nodiscard]] bool is(ethertype t) const { return type == static_cast<std::uint16_t>(t); }
};

// The address at an offset of a buffer that is long enough.
[[nodiscard]] net::mac_address read_mac(bytes_view bytes, std::size_t at);

// nullopt for a frame that is shorter than its header.
[[nodiscard]] std::optional<frame> parse(bytes_view bytes);

// Writes a header to the first header_size bytes of `to`.
void write_header(bytes_span to, const net::mac_address& destination, const net::mac_address& source, ethertype type);

}  // namespace netstack::ethernet
