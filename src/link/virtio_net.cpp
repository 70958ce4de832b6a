#include "link/virtio_net.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "link/framing.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/stack/frame.hpp"

namespace links::virtio_net {
namespace {

// linux/virtio_net.h, which is not C++.
constexpr std::uint8_t needs_checksum = 1, data_valid = 2;  // VIRTIO_NET_HDR_F_NEEDS_CSUM, _DATA_VALID
constexpr std::uint8_t gso_none = 0, gso_tcp4 = 1;          // VIRTIO_NET_HDR_GSO_NONE, _TCPV4
constexpr std::size_t flags_at = 0, gso_type_at = 1, header_length_at = 2, gso_size_at = 4, checksum_start_at = 6,
                      checksum_offset_at = 8;

constexpr std::size_t ipv4_header = 20, tcp_header = 20;

std::uint16_t load(bytes_view from, std::size_t at) {
  return static_cast<std::uint16_t>(from[at] | from[at + 1] << 8U);
}

void store(bytes_span to, std::size_t at, std::uint16_t value) {
  to[at] = static_cast<std::uint8_t>(value);
  to[at + 1] = static_cast<std::uint8_t>(value >> 8U);
}

bool checksum_lies_within(const netstack::offload& how, bytes_view frame) {
  return how.checksum_start >= netstack::ethernet::header_size &&
         std::size_t{how.checksum_start} + how.checksum_offset + sizeof(std::uint16_t) <= frame.size();
}

bool can_be_cut(const netstack::offload& how, bytes_view frame) {
  return how.needs_checksum && how.gso_size >= smallest_gso_size &&
         how.header_length >= netstack::ethernet::header_size + ipv4_header + tcp_header &&
         how.header_length < frame.size();
}

}  // namespace

std::optional<header> parse(bytes_view bytes, bytes_view frame) {
  if (bytes.size() < virtio_header_size) return std::nullopt;
  const auto flags = bytes[flags_at], gso = bytes[gso_type_at];
  header found;
  found.checksum_valid = (flags & data_valid) != 0;
  if ((flags & needs_checksum) != 0) {
    found.how.needs_checksum = true;
    found.how.checksum_start = load(bytes, checksum_start_at);
    found.how.checksum_offset = load(bytes, checksum_offset_at);
    if (!checksum_lies_within(found.how, frame)) return std::nullopt;
  }
  if (gso == gso_none) return found;
  found.how.gso_size = load(bytes, gso_size_at);
  found.how.header_length = load(bytes, header_length_at);
  if (gso != gso_tcp4 || !can_be_cut(found.how, frame)) return std::nullopt;
  return found;
}

std::array<std::uint8_t, virtio_header_size> to_bytes(const netstack::offload& how) {
  std::array<std::uint8_t, virtio_header_size> made{};
  if (how.needs_checksum) {
    made[flags_at] = needs_checksum;
    store(made, checksum_start_at, how.checksum_start);
    store(made, checksum_offset_at, how.checksum_offset);
  }
  if (how.gso_size != 0) {
    made[gso_type_at] = gso_tcp4;
    store(made, gso_size_at, how.gso_size);
    store(made, header_length_at, how.header_length);
  }
  return made;
}

}  // namespace links::virtio_net
