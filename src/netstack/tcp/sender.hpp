// sender: the sending half of a connection: what may be sent now, and what must be sent again.
//
// Theory of operation. Written bytes are in the send queue. next_segment() makes one segment: first of lost bytes
// (sack_scoreboard), then of new ones, within the peer's window, the congestion window and the owner's budget. The FIN
// follows the last byte and takes one number. There is no Nagle algorithm: the bytes come from a socket whose writer
// has already decided. If the peer's window would make a segment small, it waits until a full one fits, until all
// remaining bytes fit, or until half of the peer's largest window is free (RFC 9293, 3.8.6.2.1).
//
// One deadline at a time:
// - tail probe: the last segment is sent again, once, two round trips after the last progress, so that SACK reports a
//   loss at the end of a burst without waiting for the time-out (RFC 8985, 7);
// - retransmission: everything in flight counts as lost; the wait doubles (RFC 6298);
// - persist: nothing is in flight and the window is closed: one byte beyond it is sent, the wait doubles (RFC 9293,
//   3.8.6.1). If the window opens and the byte was not accepted, it counts as never sent.
// `most_retries` without any answer end the connection. Any acceptable acknowledgement is an answer: a closed window is
// probed for as long as the peer answers. Time alone ends nothing, so a process that was stopped continues. Nor does a
// link that accepts no frames: a segment that is due waits without a deadline, and the next wait starts when it is
// sent.
//
// Owned by tcp::connection, which has checked that acknowledgements are within what was sent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "netstack/bytes.hpp"
#include "netstack/tcp/congestion_window.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/retransmission_timer.hpp"
#include "netstack/tcp/sack_scoreboard.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/send_queue.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {

// The options of the peer's SYN.
struct peer_terms {
  std::uint16_t most_segment = 536;  // RFC 9293, 3.7.1: if the option is missing
  std::uint8_t window_shift = 0;
  bool scales = false;  // the option is present, so we may scale as well
  bool sack = false;
};

[[nodiscard]] peer_terms terms_of(const segment& syn);

class sender {
 public:
  // 200 ms, doubled up to 60 s: five minutes in all.
  static constexpr unsigned most_retries = 12;
  // Smaller segments would cost more headers than data, and only an attacker requests them (Linux: 48, with options).
  static constexpr std::uint16_t least_segment = 88;

  // `first`: the number of the first byte.
  sender(const limits& l, sequence first);

  // The handshake is complete. `window`: the scaled window of `last`, the segment that completed it.
  void start(const peer_terms& terms, std::uint32_t window, const segment& last);
  // The round trip of the handshake.
  void measured(duration round_trip) { timer_.measured(round_trip); }

  [[nodiscard]] std::array<bytes_span, 2> room(const send_queue::growth& how);
  void written(std::size_t bytes) { queue_.written(bytes); }
  void finish() { finishing_ = true; }
  // An acceptable segment with an acknowledgement between oldest() and next().
  void on_segment(const segment& s, time_point now);
  // A plausible segment with an acknowledgement before oldest(): its SACK blocks may be new.
  void on_overtaken(const segment& s, time_point now);
  void on_time(time_point now);
  [[nodiscard]] time_point wake_at() const;
  // Header and payload of the next segment; of the flags, only psh and fin are set.
  [[nodiscard]] bool next_segment(outgoing& to, time_point now, std::size_t budget);

  void set_most_segment(std::uint16_t bytes);
  void drop_all();
  void trim();

  // The first unacknowledged number, and the number after everything sent.
  [[nodiscard]] sequence oldest() const { return oldest_; }
  [[nodiscard]] sequence next() const { return next_; }
  [[nodiscard]] bool finishing() const { return finishing_; }
  // The FIN, and thus everything, is acknowledged.
  [[nodiscard]] bool finished() const { return fin_sent_ && oldest_ == queue_.end() + 1; }
  // Everything written is acknowledged.
  [[nodiscard]] bool drained() const { return queue_.size() == 0; }
  [[nodiscard]] bool timed_out() const { return retries_ > most_retries; }
  [[nodiscard]] bool idle() const { return scoreboard_.empty(); }
  [[nodiscard]] std::uint32_t largest_window() const { return largest_window_; }
  // room() was empty, and no longer is. True once.
  [[nodiscard]] bool take_writable();
  [[nodiscard]] bool has_spare() const { return drained() && memory() > 0; }
  [[nodiscard]] std::size_t memory() const { return queue_.memory() + scoreboard_.memory(); }

 private:
  enum class wait : std::uint8_t { nothing, tail_probe, retransmission, persist };

  void update_window(const segment& s);
  void take_acknowledgement(const segment& s, time_point now);
  void advance(sequence to);
  void count_duplicate(const segment& s);
  void take_report(const sack_scoreboard::report& r, std::size_t in_flight, time_point now);
  void end_repair();
  void count_needless_repetition();
  void repair(std::size_t in_flight, bool found);
  [[nodiscard]] bool find_losses(time_point now);
  void take_back_probe();
  void set_wait(time_point now);
  void stop_waiting();
  [[nodiscard]] wait what_to_wait_for() const;
  // Something has to go out before there is anything to wait for.
  [[nodiscard]] bool is_due() const;
  [[nodiscard]] time_point end_of(wait w, time_point now) const;
  [[nodiscard]] std::size_t unsent() const { return static_cast<std::size_t>(queue_.end() - unsent_from()); }
  [[nodiscard]] sequence unsent_from() const { return fin_sent_ ? queue_.end() : next_; }
  [[nodiscard]] std::size_t usable() const;
  [[nodiscard]] bool is_worth(std::size_t bytes) const;
  [[nodiscard]] std::size_t fit(std::size_t bytes, std::size_t budget) const;
  [[nodiscard]] bool repeat_lost(outgoing& to, time_point now, std::size_t budget);
  [[nodiscard]] bool repeat_tail(outgoing& to, time_point now, std::size_t budget);
  [[nodiscard]] bool send_new(outgoing& to, time_point now, std::size_t budget);
  [[nodiscard]] bool send_probe(outgoing& to, time_point now, std::size_t budget);
  [[nodiscard]] std::size_t largest() const;
  [[nodiscard]] std::size_t repeat(outgoing& to, const sack_scoreboard::transmission& what, time_point now,
                                   std::size_t budget);
  void fill(outgoing& to, sequence at, std::size_t bytes, bool fin) const;

  limits limits_;
  send_queue queue_;
  sack_scoreboard scoreboard_;
  retransmission_timer timer_;
  congestion_window congestion_;
  peer_terms terms_;

  sequence oldest_;
  sequence next_;
  std::uint32_t window_ = 0;  // the peer's, from oldest_ on
  std::uint32_t largest_window_ = 0;
  sequence window_number_;        // SND.WL1
  sequence window_acknowledged_;  // SND.WL2

  time_point deadline_ = never;
  wait waits_for_ = wait::nothing;
  unsigned retries_ = 0;
  unsigned duplicates_ = 0;      // acknowledgements that repeat the last one, of a peer without SACK
  sequence repaired_at_;         // the acknowledgement that ends the repair
  sequence tolerated_at_;        // false losses before this acknowledgement count once
  unsigned needed_repairs_ = 0;  // in a row
  std::uint32_t repeated_ = 0;   // segments of this repair whose duplicates were not reported
  bool repairing_ = false;
  bool repairs_time_out_ = false;
  bool finishing_ = false;
  bool fin_sent_ = false;
  bool probe_due_ = false;    // persist
  bool probe_sent_ = false;   // only its byte is in flight
  bool tail_due_ = false;     // tail probe
  bool tail_probed_ = false;  // since the last progress
  bool room_wanted_ = false;
};

}  // namespace netstack::tcp
