// packet_queue: finished frames that wait for next_frame(): datagrams, ARP, ICMP, answers without a flow. Owned by the
// stack.
//
// Theory of operation. Frames are stored one after the other in chunks; no frame spans two. A chunk is free again when
// all its frames were taken and written. Free chunks are reused, so that a steady stream of datagrams allocates
// nothing; chunks beyond kept_chunks are freed. Bound: the bytes of the chunks in use. Beyond it no frame is accepted.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "netstack/stack/frame.hpp"

namespace netstack {

class packet_queue {
 public:
  static constexpr std::size_t chunk_size = std::size_t{128} << 10U;  // holds the largest frame
  static constexpr std::size_t kept_chunks = 4;

  explicit packet_queue(std::size_t most_bytes) : most_chunks_(most_bytes / chunk_size + 1) {}

  // Space for a frame of at most chunk_size, which add() completes. Empty: the queue is full.
  [[nodiscard]] bytes_span begin(std::size_t size);
  // Completes the frame in the space from begin(); `destination` is in its header.
  void add(const net::mac_address& destination, link_id link);

  [[nodiscard]] bool take(frame_out& to);
  // The frames from take() have been written.
  void release_taken();

  [[nodiscard]] std::size_t bytes() const { return chunks_.size() * chunk_size; }
  [[nodiscard]] bool empty() const { return next_ == waiting_.size(); }

 private:
  struct chunk {
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t used = 0;
    std::size_t frames = 0;  // not yet released
  };
  struct waiting {
    bytes_view bytes;
    net::mac_address destination;
    link_id link = every_link;
  };

  std::size_t most_chunks_;
  std::vector<chunk> chunks_;  // in use, oldest first
  std::vector<chunk> free_;
  bytes_span begun_;
  std::vector<waiting> waiting_;  // those before next_ are taken
  std::size_t next_ = 0;
};

}  // namespace netstack
