// receiver: the receiving half of a connection: which bytes are in the window, which come next, and what to report to
// the peer.
//
// Theory of operation. The window's right edge is what the owner has consumed plus the limit. It never moves left:
// after a limit is lowered, it stays until consumption has caught up. It moves right only by a step worth announcing
// (RFC 9293, 3.8.6.2.2: two segments or half of the window), so that a slow reader does not make the peer send tiny
// segments. When the owner's reading moves it that far and the peer was near the edge, an acknowledgement of its own
// announces it.
//
// Acknowledgements: one for all segments of a batch, because next_segment() is called at its end. A peer without SACK
// needs three equal ones to detect a loss (RFC 5681): it gets one for each out-of-order segment, up to three.
//
// Owned by tcp::connection.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "netstack/bytes.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/receive_queue.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sequence.hpp"

namespace netstack::tcp {

class receiver {
 public:
  explicit receiver(const limits& l);

  // `first`: the number of the peer's first byte. Without `scales` the window is at most 65,535.
  void start(sequence first, bool scales, bool sack);

  // Whether the segment overlaps the window, or is an acknowledgement at its edge (RFC 9293, 3.10.7.4).
  [[nodiscard]] bool is_acceptable(const segment& s) const;
  [[nodiscard]] bool is_in_window(sequence at) const { return next() <= at && at <= edge_; }
  // Takes the payload and the FIN of an acceptable segment.
  void take(const segment& s);
  // A segment that is not acceptable: it repeats earlier bytes, which is reported. next() counts the peer's FIN, so the
  // payload may extend one byte further; nothing follows a FIN, and that byte is not taken.
  void repeated(const segment& s);

  [[nodiscard]] std::span<const bytes_view> arrived() const { return queue_.arrived(); }
  void consume(std::size_t bytes);
  void keep() { queue_.keep(); }
  // Consumes everything in order.
  void discard();
  // The owner wants no more bytes.
  void drop_all() { queue_.clear(); }
  void trim() { queue_.trim(); }
  // The peer sends no more: in-order bytes stay.
  void stop() { queue_.forget_out_of_order(); }
  void set_window(std::size_t bytes);

  // The number to acknowledge.
  [[nodiscard]] sequence next() const { return queue_.next() + (finished_ ? 1U : 0U); }
  // The peer's FIN and everything before it have arrived.
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] bool is_empty() const { return queue_.consumed() == queue_.next(); }

  void acknowledge() {
    due_ = std::max(due_, 1U);
    is_urgent_ = true;
  }
  [[nodiscard]] bool must_acknowledge() const { return due_ > 0; }
  // Whether the acknowledgement may wait for data that carries it: it reports nothing but less than one full segment
  // (RFC 9293, 3.8.6.3).
  [[nodiscard]] bool may_wait() const;
  // Whether the acknowledgement needs a segment of its own: it reports blocks, or is one of several.
  [[nodiscard]] bool must_be_alone() const { return due_ > 1 || queue_.has_hole() || queue_.has_duplicate(); }
  // Sets acknowledgement, window and (`alone`) SACK blocks of a segment that is sent now.
  void fill(segment& to, bool alone);

  // Our SYN's options: the shift that set_window()'s largest window needs.
  [[nodiscard]] std::uint8_t shift() const { return offered_shift_; }
  // The window of a SYN, which is not scaled.
  [[nodiscard]] std::uint16_t first_window() const;
  [[nodiscard]] bool has_spare() const { return is_empty() && !queue_.has_hole() && queue_.memory() > 0; }
  [[nodiscard]] std::size_t memory() const { return queue_.memory(); }

 private:
  static constexpr unsigned most_due = 3;

  void take_payload(sequence at, bytes_view payload);
  [[nodiscard]] std::size_t gain() const;
  void move_edge();

  receive_queue queue_;
  std::size_t window_;
  std::size_t most_segment_;
  std::size_t most_window_;
  sequence edge_;                // the first number that the peer may not send
  std::optional<sequence> fin_;  // the number of the peer's FIN
  std::uint8_t offered_shift_;
  std::uint8_t shift_ = 0;
  unsigned due_ = 0;
  sequence acknowledged_;   // by the last segment that was sent
  bool is_urgent_ = false;  // acknowledge() was called
  bool sack_ = false;
  bool finished_ = false;
};

}  // namespace netstack::tcp
