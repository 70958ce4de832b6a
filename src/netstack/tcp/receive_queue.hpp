// receive_queue: the bytes of the peer's stream that the owner has not consumed, and those that arrived out of order.
//
// Theory of operation. Usually a segment's payload arrives in order and is consumed before the caller reuses its
// buffer: the queue holds a slice of that buffer, and no byte is copied. keep() copies what remains into a ring. A
// payload that arrives out of order is copied into the ring immediately, at the place of its sequence number; a sorted
// list of intervals records which bytes are present. When the gap before an interval is filled, slices of the ring
// continue the stream. So memory is bounded by the window, however small or mixed up the segments are, and by
// `most_intervals`: a segment that would start a further interval is dropped, as if the network had lost it.
//
// Overlap: bytes that arrived before are cut off. Out-of-order bytes are replaced by a later copy until they are in
// order; afterwards they never change.
//
// Reports (RFC 2018, RFC 2883): the interval that changed last comes first, then those that changed before it. A
// duplicate is reported once, before them.
//
// Owned by tcp::receiver, which knows the end of the window.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "netstack/bytes.hpp"
#include "netstack/tcp/byte_ring.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {

class receive_queue {
 public:
  static constexpr std::size_t most_intervals = 256;

  enum class outcome : std::uint8_t {
    in_order,      // arrived() has more
    out_of_order,  // there is a gap before it, or before the bytes after it
    duplicate,     // no new bytes
    dropped,       // the intervals are used up
  };

  // The sequence number of the first byte.
  void start(sequence first) { consumed_ = next_ = first; }

  // `payload` begins at `at` and must stay valid until keep(). The caller has cut it to the window.
  outcome add(sequence at, bytes_view payload);
  // The slices in order, valid until the next call of a non-const member.
  [[nodiscard]] std::span<const bytes_view> arrived() const { return std::span(slices_).subspan(first_); }
  // At most next() - consumed().
  void consume(std::size_t bytes);
  void keep();
  void clear();
  void forget_out_of_order();
  // The stream is idle: frees spare memory.
  void trim();

  [[nodiscard]] sequence consumed() const { return consumed_; }
  // The first missing byte.
  [[nodiscard]] sequence next() const { return next_; }
  [[nodiscard]] bool has_hole() const { return !intervals_.empty(); }
  [[nodiscard]] bool has_duplicate() const { return duplicate_.has_value(); }

  // The blocks to report now; the duplicate is reported once.
  void report(options& to);

  [[nodiscard]] std::size_t memory() const;

 private:
  using interval = sack_block;

  outcome append(bytes_view payload);
  void append_from_ring(sequence end);
  outcome store_out_of_order(sequence at, bytes_view payload);
  void reserve(sequence end);
  void remember(sequence at);
  void add_block(options& to, interval block) const;

  byte_ring ring_;
  std::vector<bytes_view> slices_;  // in order, from consumed_ to next_; those before first_ are consumed
  std::size_t first_ = 0;
  std::vector<interval> intervals_;                  // sorted, separated by gaps, after next_
  std::array<sequence, most_sack_blocks> recent_{};  // a byte of each interval that changed, the latest first
  std::size_t recents_ = 0;
  std::optional<interval> duplicate_;
  sequence consumed_;
  sequence next_;
};

}  // namespace netstack::tcp
