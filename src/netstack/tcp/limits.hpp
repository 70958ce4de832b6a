// The limits of a connection, and an outgoing segment: the values that the owner and the connection's parts share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "netstack/bytes.hpp"
#include "netstack/tcp/segment.hpp"

namespace netstack::tcp {

struct limits {
  std::uint16_t most_segment = 1460;                     // announced as MSS: the link's MTU less 40
  std::size_t largest_segment = 1460;                    // payload of one outgoing segment; up to 65,480 with offload
  std::size_t send_capacity = std::size_t{1} << 20U;     // bytes of the send ring; a power of two
  std::size_t receive_window = std::size_t{256} << 10U;  // what the peer may have in flight
  std::size_t most_receive_window = std::size_t{1} << 20U;  // the bound of set_receive_window(), which fixes the shift
};

struct outgoing {
  segment header;                     // the owner fills in the ports; header.payload is not set
  std::array<bytes_view, 2> payload;  // slices of the send ring
  bool repeats = false;               // it was sent before
  std::uint16_t most_segment = 0;     // the frame's receiver must segment a larger payload at this size (gso_size)

  [[nodiscard]] std::size_t payload_size() const { return payload[0].size() + payload[1].size(); }
};

}  // namespace netstack::tcp
