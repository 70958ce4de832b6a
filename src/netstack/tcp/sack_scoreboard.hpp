// sack_scoreboard: what has been sent and not acknowledged: when, how often, and which of it the peer has already.
//
// Theory of operation. There is one record for each segment under way, in the order of the stream. A cumulative
// acknowledgement removes records, a SACK block marks them (RFC 2018; a block that covers a part of a record cuts it in
// two). Losses are found as RFC 8985 (RACK) says, which contains RFC 6675's rule: once a segment has been delivered, what
// was sent before it and is not delivered is lost, at once if three segments are (the "duplicate threshold") or if
// losses are being repaired, else after a quarter of the shortest round trip. Repeated segments have a time of their
// own, so a repetition that is lost again is found the same way. Where the path has reordered segments before, a segment
// is lost only after that wait, and the wait grows with each loss that was none, up to a round trip.
//
// In flight is what was sent, is not delivered and not lost. It is a sum that is kept up to date.
//
// Bounds: a record for each segment under way; with `most_records` of them the sender begins no other one until some are
// acknowledged, and a block cuts none. A block that is not within what is under way is ignored. Owned by tcp::sender.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {

class sack_scoreboard {
 public:
  static constexpr std::size_t most_records = 4096;
  static constexpr std::size_t duplicate_threshold = 3;

  // [begin, end) of the stream, with one for a FIN.
  struct transmission {
    sequence begin, end;
    std::uint32_t order = 0;  // of this sending among all
    bool delivered = false;
    bool lost = false;  // and not sent again since
    bool repeated = false;
    time_point sent;

    [[nodiscard]] std::uint32_t size() const { return end.value - begin.value; }
  };

  // What an acknowledgement says.
  struct report {
    std::size_t delivered = 0;           // bytes that it reports for the first time
    std::optional<duration> round_trip;  // of the segment sent last among them that was sent once
    bool duplicate = false;              // a segment came twice (RFC 2883)
  };

  void sent(sequence begin, sequence end, time_point now);
  // `to`: the cumulative acknowledgement; the blocks are those of the same segment.
  report acknowledged(sequence to, std::span<const sack_block> blocks, time_point now);
  // Marks what is lost by now; whether there is something new. `shortest`: the shortest round trip.
  bool find_losses(time_point now, duration shortest, bool repairing);
  // When find_losses() finds the next one if no acknowledgement comes; `never` if none.
  [[nodiscard]] time_point next_check() const { return next_check_; }
  // Marks the first record as lost: for a peer without SACK (RFC 6582).
  void lose_first();
  void lose_all();
  // Marks what is larger than `bytes` as lost: it did not fit.
  void lose_larger(std::size_t bytes);
  // A loss was none: wait longer the next time.
  void tolerate_reordering();

  // The first lost record, or nothing.
  [[nodiscard]] const transmission* first_lost() const;
  // The last record, or nothing: what a probe repeats.
  [[nodiscard]] const transmission* last() const { return empty() ? nullptr : &records_.back(); }
  // The first `bytes` of the record at `begin` are sent again; the rest of it is a record of its own, lost.
  void sent_again(sequence begin, std::uint32_t bytes, time_point now);
  // Forgets everything.
  void clear();
  void trim();

  [[nodiscard]] bool empty() const { return first_ == records_.size(); }
  [[nodiscard]] std::size_t records() const { return records_.size() - first_; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  [[nodiscard]] std::size_t lost() const { return lost_; }
  [[nodiscard]] std::size_t memory() const { return records_.capacity() * sizeof(transmission); }

 private:
  using place = std::vector<transmission>::iterator;

  [[nodiscard]] std::span<transmission> under_way() { return std::span(records_).subspan(first_); }
  [[nodiscard]] place find(sequence at);
  void cut(place at, sequence where);
  void remove_before(sequence to, report& r, time_point now);
  void mark_delivered(const sack_block& block, report& r, time_point now);
  void deliver(transmission& t, report& r, time_point now);
  void note_place(const transmission& t);
  void lose(transmission& t);
  [[nodiscard]] duration patience(duration shortest, bool repairing) const;

  std::vector<transmission> records_;  // those before first_ are acknowledged
  std::size_t first_ = 0;
  std::size_t in_flight_ = 0;  // bytes
  std::size_t lost_ = 0;       // bytes
  std::size_t delivered_ = 0;  // records marked by SACK
  std::uint32_t orders_ = 0;
  std::uint32_t newest_order_ = 0;  // of the delivered segment that was sent last
  duration newest_round_trip_{};
  std::optional<sequence> highest_delivered_;  // the end of the stream's furthest delivered byte
  time_point next_check_ = never;
  unsigned reordering_ = 0;  // 0: never seen; else in quarters of the shortest round trip
};

}  // namespace netstack::tcp
