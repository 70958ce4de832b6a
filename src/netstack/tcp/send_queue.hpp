// send_queue: the bytes that were written and that the peer has not acknowledged, at their sequence numbers.
//
// Theory of operation. The bytes stand in a ring: the owner reads a socket into room(), and segments are slices of it,
// so no payload is copied. The ring is allocated by the first room(). It begins with 16 KiB and grows fourfold, up to the
// limit, each time it was full and all of it has been sent: then the ring, not the peer, holds the stream up. A small
// ring is given back as soon as it is empty, a large one by trim(), which the connection calls when it is idle.
//
// Owned by tcp::sender.
#pragma once

#include <array>
#include <cstddef>

#include "netstack/bytes.hpp"
#include "netstack/tcp/byte_ring.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {

class send_queue {
 public:
  // `limit`: the most bytes that wait here.
  explicit send_queue(std::size_t limit) : limit_(limit) {}

  // The sequence number of the first byte; nothing has been written yet.
  void start(sequence first) { begin_ = end_ = first; }

  [[nodiscard]] sequence begin() const { return begin_; }
  [[nodiscard]] sequence end() const { return end_; }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }

  // Where the next bytes go. `sent`: everything before it has been sent. Without `may_grow` the ring stays as it is; one
  // of byte_ring::smallest is always there.
  [[nodiscard]] std::array<bytes_span, 2> room(sequence sent, bool may_grow = true);
  // The first `bytes` of room() are filled; 0 gives an unused ring back.
  void written(std::size_t bytes);
  // Everything before `end` arrived; `end` is within the queue.
  void acknowledged(sequence end);
  [[nodiscard]] std::array<bytes_view, 2> slices(sequence at, std::size_t size) const { return ring_.slices(at, size); }
  // Drops everything.
  void clear();
  void trim();

  // A quarter of the ring is free, or it may grow: room() is worth a call.
  [[nodiscard]] bool has_room(sequence sent) const;
  [[nodiscard]] std::size_t memory() const { return ring_.capacity(); }

 private:
  void release_if_small();

  byte_ring ring_;
  std::size_t limit_;
  std::size_t wanted_ = byte_ring::smallest;
  sequence begin_;
  sequence end_;
  bool was_full_ = false;
  bool may_grow_ = true;  // as room() was last asked
};

}  // namespace netstack::tcp
