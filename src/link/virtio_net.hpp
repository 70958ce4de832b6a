// virtio_net: the header that a tap device with IFF_VNET_HDR puts in front of each frame, and that crosses a link with
// offload: struct virtio_net_hdr of linux/virtio_net.h, 10 bytes, little endian (virtio 1.2, section 5.1.6). Of its
// features only those of TSO4 and CSUM exist here. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "link/framing.hpp"
#include "netstack/stack/frame.hpp"

namespace links::virtio_net {

// The smallest payload of a segment: TCP_MIN_SND_MSS less the longest TCP options (net/tcp.h, TCP_MIN_GSO_SIZE). A
// smaller one would turn a frame into tens of thousands of segments.
inline constexpr std::uint16_t smallest_gso_size = 8;

struct header {
  netstack::offload how;
  bool checksum_valid = false;  // the sender's kernel has verified the checksum

  bool operator==(const header&) const = default;
};

// The header of `frame`. nullopt if it requires more than TSO4 and CSUM, or contradicts the frame: offsets beyond its
// end, a segment of less than smallest_gso_size, segments without a checksum to fill in.
[[nodiscard]] std::optional<header> parse(bytes_view bytes, bytes_view frame);

[[nodiscard]] std::array<std::uint8_t, virtio_header_size> to_bytes(const netstack::offload& how);

}  // namespace links::virtio_net
