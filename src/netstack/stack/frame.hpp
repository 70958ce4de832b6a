// Frames at the border of the stack: bytes, and the contents of a virtio-net header.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/mac_address.hpp"
#include "netstack/bytes.hpp"
#include "netstack/stack/flow_id.hpp"

namespace netstack {

// The fields of a virtio-net header that the stack uses (virtio 1.2, 5.1.6; linux/virtio_net.h). All zero on a link
// without offload.
struct offload {
  bool needs_checksum = false;  // the checksum at checksum_start + checksum_offset covers the pseudo header alone
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
  std::uint16_t gso_size = 0;       // payload of each TCP segment into which the frame may be cut; 0: no segmentation
  std::uint16_t header_length = 0;  // Ethernet, IPv4 and TCP header, where gso_size is not 0

  bool operator==(const offload&) const = default;
};

struct frame_in {
  bytes_view bytes;  // Ethernet without its check sequence
  offload how;
  bool checksum_valid = false;  // VIRTIO_NET_HDR_F_DATA_VALID: the sender's kernel has verified the checksum
  link_id link = 0;
};

struct frame_out {
  std::array<bytes_view, 3> parts;  // in order; the last ones may be empty
  std::size_t size = 0;             // of all parts
  net::mac_address destination;     // as in the frame; a group address goes to every link
  link_id link = every_link;        // the destination's latest link; every_link for group addresses
  offload how;
};

// What the other end of a link accepts.
struct link_properties {
  bool checksum_offload = false;      // frames may be sent with needs_checksum
  std::size_t most_segment_data = 0;  // payload of a TCP segment with gso_size; 0: none. Needs checksum_offload
};

}  // namespace netstack
