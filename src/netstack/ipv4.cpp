#include "netstack/ipv4.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "net/address.hpp"
#include "netstack/bytes.hpp"
#include "netstack/checksum.hpp"

namespace netstack::ipv4 {
namespace {

constexpr std::uint16_t flag_dont_fragment = 0x4000;
constexpr std::uint16_t flag_more_fragments = 0x2000;
constexpr std::uint16_t offset_mask = 0x1fff;
constexpr std::size_t at_ttl = 8;
constexpr std::size_t at_checksum = 10;

}  // namespace

address from_net(const net::address& a) { return {load_32(bytes_view(a.data(), 4), 0)}; }

net::address to_net(address a) {
  std::array<std::uint8_t, 4> bytes{};
  store_32(bytes, 0, a.value);
  return net::address::v4(bytes.data());
}

std::optional<packet> parse(bytes_view bytes, check header_checksum) {
  if (bytes.size() < header_size || bytes[0] >> 4U != 4) return std::nullopt;
  const std::size_t own = std::size_t{bytes[0] & 0x0fU} * 4;
  const std::size_t total = load_16(bytes, 2);
  if (own < header_size || total < own || total > bytes.size()) return std::nullopt;
  const auto header = bytes.first(own);
  if (header_checksum == check::verify && checksum(header) != 0) return std::nullopt;
  const auto flags = load_16(bytes, 6);
  packet p{.source = {load_32(bytes, 12)},
           .destination = {load_32(bytes, 16)},
           .protocol = bytes[9],
           .ttl = bytes[at_ttl],
           .type_of_service = bytes[1],
           .id = load_16(bytes, 4),
           .fragment_offset = static_cast<std::uint16_t>((flags & offset_mask) * 8),
           .more_fragments = (flags & flag_more_fragments) != 0,
           .dont_fragment = (flags & flag_dont_fragment) != 0,
           .header = header,
           .payload = bytes.subspan(own, total - own)};
  if (p.fragment_offset + p.payload.size() + header_size > 65'535) return std::nullopt;
  return p;
}

void write_header(bytes_span to, const header_fields& fields, std::size_t payload_size) {
  to[0] = 0x45;
  to[1] = fields.type_of_service;
  store_16(to, 2, static_cast<std::uint16_t>(header_size + payload_size));
  store_16(to, 4, fields.id);
  auto flags = static_cast<std::uint16_t>(fields.fragment_offset / 8);
  if (fields.more_fragments) flags |= flag_more_fragments;
  if (fields.dont_fragment) flags |= flag_dont_fragment;
  store_16(to, 6, flags);
  to[at_ttl] = fields.ttl;
  to[9] = static_cast<std::uint8_t>(fields.protocol);
  store_16(to, at_checksum, 0);
  store_32(to, 12, fields.source.value);
  store_32(to, 16, fields.destination.value);
  store_16(to, at_checksum, checksum(to.first(header_size)));
}

std::uint32_t pseudo_header_sum(address source, address destination, ipv4::protocol protocol, std::size_t length) {
  const auto words = [](std::uint32_t value) { return (value >> 16U) + (value & 0xffffU); };
  return words(source.value) + words(destination.value) + static_cast<std::uint32_t>(protocol) +
         static_cast<std::uint32_t>(length);
}

}  // namespace netstack::ipv4
