#include "netstack/udp_datagram.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

#include "netstack/bytes.hpp"
#include "netstack/checksum.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::udp {

std::optional<datagram> parse(const ipv4::packet& packet, check payload_checksum) {
  const auto bytes = packet.payload;
  if (bytes.size() < header_size) return std::nullopt;
  const std::size_t length = load_16(bytes, 4);
  if (length < header_size || length > bytes.size()) return std::nullopt;
  const auto whole = bytes.first(length);
  const auto pseudo = ipv4::pseudo_header_sum(packet.source, packet.destination, ipv4::protocol::udp, length);
  const bool checked = payload_checksum == check::verify && load_16(bytes, 6) != 0;
  if (checked && checksum(whole, pseudo) != 0) return std::nullopt;
  return datagram{
      .source_port = load_16(bytes, 0), .destination_port = load_16(bytes, 2), .payload = whole.subspan(header_size)};
}

void write_header(bytes_span to, ipv4::address source, ipv4::address destination, std::uint16_t source_port,
                  std::uint16_t destination_port) {
  store_16(to, 0, source_port);
  store_16(to, 2, destination_port);
  store_16(to, 4, static_cast<std::uint16_t>(to.size()));
  store_16(to, 6, 0);
  const auto sum = checksum(to, ipv4::pseudo_header_sum(source, destination, ipv4::protocol::udp, to.size()));
  store_16(to, 6, sum == 0 ? 0xffff : sum);  // zero would mean that there is none
}

}  // namespace netstack::udp
