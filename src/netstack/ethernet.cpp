#include "netstack/ethernet.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "net/mac_address.hpp"
#include "netstack/bytes.hpp"

namespace netstack::ethernet {
net::mac_address read_mac(bytes_view bytes, std::size_t at) {
  net::mac_address mac;
  std::ranges::copy(bytes.subspan(at, mac.bytes.size()), mac.bytes.begin());
  return mac;
}

std::optional<frame> parse(bytes_view bytes) {
  if (bytes.size() < header_size) return std::nullopt;
  return frame{.destination = read_mac(bytes, 0),
               .source = read_mac(bytes, 6),
               .type = load_16(bytes, 12),
               .payload = bytes.subspan(header_size)};
}

void write_header(bytes_span to, const net::mac_address& destination, const net::mac_address& source, ethertype type) {
  std::ranges::copy(destination.bytes, to.begin());
  std::ranges::copy(source.bytes, to.begin() + 6);
  store_16(to, 12, static_cast<std::uint16_t>(type));
}

}  // namespace netstack::ethernet
