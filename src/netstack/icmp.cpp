#include "netstack/icmp.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/bytes.hpp"
#include "netstack/checksum.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::icmp {
namespace {

constexpr std::size_t most_quoted = 548;

std::vector<std::uint8_t> make(std::uint8_t type, std::uint8_t code, std::uint16_t first, std::uint16_t second,
                               bytes_view payload) {
  std::vector<std::uint8_t> bytes(header_size + payload.size());
  bytes[0] = type;
  bytes[1] = code;
  store_16(bytes, 4, first);
  store_16(bytes, 6, second);
  std::ranges::copy(payload, bytes.begin() + header_size);
  store_16(bytes, 2, checksum(bytes));
  return bytes;
}

bool is_error(std::uint8_t type) {
  return type != static_cast<std::uint8_t>(type::echo_reply) && type != static_cast<std::uint8_t>(type::echo_request);
}

}  // namespace

std::optional<message> parse(bytes_view payload) {
  if (payload.size() < header_size || checksum(payload) != 0) return std::nullopt;
  return message{.type = payload[0],
                 .code = payload[1],
                 .id = load_16(payload, 4),
                 .sequence = load_16(payload, 6),
                 .payload = payload.subspan(header_size)};
}

std::optional<quoted_packet> parse_quoted(const message& error) {
  const auto bytes = error.payload;
  if (bytes.size() < ipv4::header_size || bytes[0] >> 4U != 4) return std::nullopt;
  const std::size_t own = std::size_t{bytes[0] & 0x0fU} * 4;
  if (own < ipv4::header_size || bytes.size() < own + 8) return std::nullopt;
  quoted_packet quoted;
  quoted.packet.source = {load_32(bytes, 12)};
  quoted.packet.destination = {load_32(bytes, 16)};
  quoted.packet.protocol = bytes[9];
  quoted.packet.ttl = bytes[8];
  quoted.packet.id = load_16(bytes, 4);
  quoted.packet.header = bytes.first(own);
  quoted.packet.payload = bytes.subspan(own);
  quoted.source_port = load_16(bytes, own);
  quoted.destination_port = load_16(bytes, own + 2);
  return quoted;
}

std::vector<std::uint8_t> make_echo_request(std::uint16_t id, std::uint16_t sequence, bytes_view data) {
  return make(static_cast<std::uint8_t>(type::echo_request), 0, id, sequence, data);
}

std::vector<std::uint8_t> make_error(type what, std::uint8_t code, const ipv4::packet& packet, std::uint16_t mtu) {
  std::vector<std::uint8_t> quoted(packet.header.begin(), packet.header.end());
  const auto rest = packet.payload.first(std::min(packet.payload.size(), most_quoted - quoted.size()));
  quoted.insert(quoted.end(), rest.begin(), rest.end());
  const bool has_mtu =
      what == type::unreachable && code == static_cast<std::uint8_t>(unreachable::fragmentation_needed);
  return make(static_cast<std::uint8_t>(what), code, 0, has_mtu ? mtu : std::uint16_t{0}, quoted);
}

bool allows_error(const ipv4::packet& packet) {
  const auto one_host = [](ipv4::address a) { return a.value != 0 && !a.is_broadcast() && !a.is_multicast(); };
  if (packet.fragment_offset != 0 || !one_host(packet.destination) || !one_host(packet.source)) return false;
  if (packet.source.is_loopback()) return false;
  return !packet.is(ipv4::protocol::icmp) || (!packet.payload.empty() && !is_error(packet.payload[0]));
}

}  // namespace netstack::icmp
