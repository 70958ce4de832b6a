// segment_frames: TCP segments as frames: headers in an arena of its own, payload as slices of the flow's ring. Owned
// by flow_sender.
//
// Theory of operation. A link with offload gets a segment unchanged, with the sum of the pseudo header only and the
// size for segmentation. A plain link gets a complete checksum. A segment that is too large for it, because the VM had
// another link when the connection began, is cut here. The arena is a list of blocks; headers stay valid until
// release().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "netstack/ethernet.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/stack/neighbours.hpp"
#include "netstack/tcp/limits.hpp"

namespace netstack {

class segment_frames {
 public:
  explicit segment_frames(const net::mac_address& own) : own_(own) {}

  // Starts a segment of the flow; its payload must stay valid until release().
  void start(const tcp::outgoing& what, const flow_key& flow);
  // Whether a part of it was not taken yet.
  [[nodiscard]] bool in_progress() const { return in_progress_; }
  // Its next part, or all of it if the link can cut it.
  void take(frame_out& to, const location& at, const link_properties& link, std::uint16_t id);
  // The flow is gone: drops its segment in progress.
  void drop() { in_progress_ = false; }
  // The frames have been written. Drops the segment in progress.
  void release();

 private:
  static constexpr std::size_t header_room =
      ethernet::header_size + ipv4::header_size + tcp::header_size + tcp::most_options;
  static constexpr std::size_t headers_a_block = 64;
  static constexpr std::size_t kept_blocks = 64;
  using block = std::array<std::uint8_t, header_room * headers_a_block>;

  [[nodiscard]] bytes_span new_header(std::size_t size);
  void write_tcp(bytes_span to, const tcp::segment& s, const std::array<bytes_view, 2>& payload, bool whole_checksum);

  net::mac_address own_;
  std::vector<std::unique_ptr<block>> blocks_;
  std::size_t used_ = 0;  // headers
  tcp::outgoing current_;
  flow_key flow_;
  std::size_t done_ = 0;  // bytes of current_'s payload
  bool in_progress_ = false;
};

}  // namespace netstack
