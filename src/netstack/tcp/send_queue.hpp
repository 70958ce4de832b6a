// send_queue: the bytes that are written and not acknowledged, at their sequence numbers.
//
// Theory of operation. The bytes are in a ring: the owner reads a socket into room(), and segments are slices of it, so
// no payload is copied. The first room() allocates the ring. It starts with 16 KiB and grows fourfold, up to the limit,
// each time it was full and all of it has been sent: then the ring limits the stream, not the peer. A small ring is
// freed as soon as it is empty, a large one by trim(), which the connection calls when it is idle.
//
// Owned by tcp::sender.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "netstack/bytes.hpp"
#include "netstack/tcp/byte_ring.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {

class send_queue {
 public:
  // `limit`: the bound on the bytes in the queue.
  explicit send_queue(std::size_t limit) : limit_(limit) {}

  // Sets the sequence number of the first byte; nothing has been written yet.
  void start(sequence first) { begin_ = end_ = first; }

  [[nodiscard]] sequence begin() const { return begin_; }
  [[nodiscard]] sequence end() const { return end_; }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }

  // Bounds of the ring besides its limit; they may change with each call.
  struct growth {
    bool allowed = true;          // false: it keeps its size; one of byte_ring::smallest is always available
    std::size_t most = SIZE_MAX;  // bytes that may wait: this flow's share of the room
  };
  // Space for the next bytes. `sent`: everything before it has been sent.
  [[nodiscard]] std::array<bytes_span, 2> room(sequence sent, const growth& how);
  [[nodiscard]] std::array<bytes_span, 2> room(sequence sent) { return room(sent, {}); }
  // The first `bytes` of room() are filled; 0 frees an unused ring.
  void written(std::size_t bytes);
  // Everything before `end` has arrived; `end` is within the queue.
  void acknowledged(sequence end);
  [[nodiscard]] std::array<bytes_view, 2> slices(sequence at, std::size_t size) const { return ring_.slices(at, size); }
  // Removes everything.
  void clear();
  void trim();

  // Whether room() is worth a call: a quarter of the ring is free, or it may grow.
  [[nodiscard]] bool has_room(sequence sent) const;
  [[nodiscard]] std::size_t memory() const { return ring_.capacity(); }

 private:
  void release_if_small();
  [[nodiscard]] std::size_t usable() const;

  byte_ring ring_;
  std::size_t limit_;
  std::size_t wanted_ = byte_ring::smallest;
  sequence begin_;
  sequence end_;
  bool was_full_ = false;
  growth how_;  // from the last call of room()
};

}  // namespace netstack::tcp
