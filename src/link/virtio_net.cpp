#include "link/virtio_net.hpp"

#include <linux/virtio_net.h>

#include "netstack/ethernet.hpp"

namespace links::virtio_net {
namespace {

static_assert(sizeof(virtio_net_hdr) == virtio_header_size);

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
  const auto flags = bytes[offsetof(virtio_net_hdr, flags)], gso = bytes[offsetof(virtio_net_hdr, gso_type)];
  header found;
  found.checksum_valid = (flags & VIRTIO_NET_HDR_F_DATA_VALID) != 0;
  if ((flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0) {
    found.how.needs_checksum = true;
    found.how.checksum_start = load(bytes, offsetof(virtio_net_hdr, csum_start));
    found.how.checksum_offset = load(bytes, offsetof(virtio_net_hdr, csum_offset));
    if (!checksum_lies_within(found.how, frame)) return std::nullopt;
  }
  if (gso == VIRTIO_NET_HDR_GSO_NONE) return found;
  found.how.gso_size = load(bytes, offsetof(virtio_net_hdr, gso_size));
  found.how.header_length = load(bytes, offsetof(virtio_net_hdr, hdr_len));
  if (gso != VIRTIO_NET_HDR_GSO_TCPV4 || !can_be_cut(found.how, frame)) return std::nullopt;
  return found;
}

std::array<std::uint8_t, virtio_header_size> to_bytes(const netstack::offload& how) {
  std::array<std::uint8_t, virtio_header_size> made{};
  if (how.needs_checksum) {
    made[offsetof(virtio_net_hdr, flags)] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    store(made, offsetof(virtio_net_hdr, csum_start), how.checksum_start);
    store(made, offsetof(virtio_net_hdr, csum_offset), how.checksum_offset);
  }
  if (how.gso_size != 0) {
    made[offsetof(virtio_net_hdr, gso_type)] = VIRTIO_NET_HDR_GSO_TCPV4;
    store(made, offsetof(virtio_net_hdr, gso_size), how.gso_size);
    store(made, offsetof(virtio_net_hdr, hdr_len), how.header_length);
  }
  return made;
}

}  // namespace links::virtio_net
