// sack_scoreboard: the bytes that are sent and not acknowledged: when and how often, and which of them the peer has.
//
// Theory of operation. There is one record for each segment in flight, in stream order. A cumulative acknowledgement
// removes records, a SACK block marks them (RFC 2018; a block that covers part of a record splits it). Losses are
// detected as in RFC 8985 (RACK), which includes RFC 6675's rule. Once a segment has been delivered, an earlier one
// that has not is lost: immediately if three segments are delivered (the "duplicate threshold") or if losses are being
// repaired, otherwise after a quarter of the shortest round trip. Repeated segments have a time of their own, so the
// loss of a repetition is detected in the same way. If the path has reordered segments before, a segment is lost only
// after that wait, and the wait doubles with each false loss, up to a smoothed round trip.
//
// The bytes in flight are those that are sent, not delivered and not lost. Their sum is kept up to date.
//
// Bounds: one record for each segment in flight. With `most_records` of them the sender starts no further one until
// some are acknowledged, and a block splits none. A block outside the bytes in flight is ignored. Owned by tcp::sender.
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

  // [begin, end) of the stream; a FIN counts as one byte.
  struct transmission {
    sequence begin, end;
    std::uint32_t order = 0;  // the position of this transmission among all
    bool delivered = false;
    bool lost = false;  // and not sent again yet
    bool repeated = false;
    time_point sent;

    [[nodiscard]] std::uint32_t size() const { return end.value - begin.value; }
  };

  // What an acknowledgement reports.
  struct report {
    std::size_t delivered = 0;           // bytes reported for the first time
    std::optional<duration> round_trip;  // of the latest of these segments that was sent only once
    bool duplicate = false;              // a segment arrived twice (RFC 2883)
  };

  void sent(sequence begin, sequence end, time_point now);
  // `to`: the cumulative acknowledgement; `blocks`: from the same segment.
  report acknowledged(sequence to, std::span<const sack_block> blocks, time_point now);
  // Round trips of the connection.
  struct round_trips {
    duration shortest{}, smoothed{};
  };
  // Marks what is lost by now. True: there are new losses.
  bool find_losses(time_point now, const round_trips& measured, bool repairing);
  // When to call find_losses() again if no acknowledgement arrives; `never` if there is nothing to find.
  [[nodiscard]] time_point next_check() const { return next_check_; }
  // Marks the first record as lost: for a peer without SACK (RFC 6582).
  void lose_first();
  void lose_all();
  // Marks segments larger than `bytes` as lost: they did not fit the path.
  void lose_larger(std::size_t bytes);
  // A loss was false: wait longer the next time.
  void tolerate_reordering();
  // The path reorders no more than a little.
  void forget_reordering();

  // The first lost record, or nullptr.
  [[nodiscard]] const transmission* first_lost() const;
  // The last record, which a probe repeats, or nullptr.
  [[nodiscard]] const transmission* last() const { return empty() ? nullptr : &records_.back(); }
  // The first `bytes` of the record at `begin` are sent again; the rest becomes a record of its own, lost.
  void sent_again(sequence begin, std::uint32_t bytes, time_point now);
  // Removes all records.
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
  [[nodiscard]] duration patience(const round_trips& measured, bool repairing) const;

  std::vector<transmission> records_;  // those before first_ are acknowledged
  std::size_t first_ = 0;
  std::size_t in_flight_ = 0;  // bytes
  std::size_t lost_ = 0;       // bytes
  std::size_t delivered_ = 0;  // records marked by SACK
  std::uint32_t orders_ = 0;
  std::uint32_t newest_order_ = 0;  // of the latest delivered segment
  duration newest_round_trip_{};
  std::optional<sequence> highest_delivered_;  // the end of the delivered byte furthest in the stream
  time_point next_check_ = never;
  unsigned reordering_ = 0;  // 0: never seen; else in quarters of the shortest round trip
};

}  // namespace netstack::tcp
