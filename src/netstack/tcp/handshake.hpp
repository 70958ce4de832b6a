// handshake: the SYN or SYN-ACK of a connection, and when it is sent again (RFC 9293, 3.10; RFC 6298, 2). Owned by
// tcp::connection.
//
// A SYN is sent at 0, 1, 3 and 7 s and given up at 10 s, because a client of the host waits for it. A SYN-ACK is sent
// at 0, 1, 3, 7 and 15 s and given up at 31 s. The number of attempts counts, not the time, so a process that was
// stopped continues. A SYN-ACK that answers a repeated SYN does not count and does not move the deadline: a peer that
// repeats its SYN forever is given up as well.
#pragma once

#include <cstdint>

#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/receiver.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sender.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {

class handshake {
 public:
  enum class side : std::uint8_t { opens, accepts };

  handshake(side s, sequence ours) : side_(s), ours_(ours) {}

  // The peer's SYN. Called again for another one that replaces it.
  void take(const segment& syn);

  void send_now() { due_ = counts_ = true; }
  // The peer repeated its SYN: sends the answer once more, uncounted.
  void answer_again() { due_ = true; }
  [[nodiscard]] bool is_due() const { return due_; }
  // Writes the segment and counts it as sent.
  void fill(segment& to, const limits& l, const receiver& r, time_point now);
  // An answer has arrived: nothing more is sent.
  void end() {
    due_ = false;
    deadline_ = never;
  }

  // Whether the handshake is given up.
  [[nodiscard]] bool on_time(time_point now);
  [[nodiscard]] time_point wake_at() const { return deadline_; }

  [[nodiscard]] sequence ours() const { return ours_; }
  [[nodiscard]] sequence theirs() const { return theirs_; }
  // The number after the SYN and its payload, which a refusal acknowledges.
  [[nodiscard]] sequence behind_syn() const { return theirs_ + syn_length_; }
  [[nodiscard]] const peer_terms& terms() const { return terms_; }
  [[nodiscard]] bool is_same(const segment& syn) const { return has_theirs_ && syn.number == theirs_; }
  // Sent only once, so the answer measures the round trip.
  [[nodiscard]] bool was_sent_once() const { return !repeated_; }
  [[nodiscard]] time_point sent_at() const { return sent_at_; }

 private:
  [[nodiscard]] unsigned most_sendings() const { return side_ == side::opens ? 4 : 5; }
  [[nodiscard]] duration wait() const;

  side side_;
  bool has_theirs_ = false;
  bool due_ = false;
  bool counts_ = false;    // the next attempt
  bool repeated_ = false;  // it was sent more than once
  unsigned sendings_ = 0;  // attempts that count
  sequence ours_;
  sequence theirs_;
  std::uint32_t syn_length_ = 1;
  peer_terms terms_;
  time_point sent_at_;
  time_point deadline_ = never;
};

}  // namespace netstack::tcp
