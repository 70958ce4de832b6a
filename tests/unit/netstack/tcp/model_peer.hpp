// A TCP end that shares no code with the machine under test: maps, offsets from zero, one timer, the simplest rules. It
// keeps to RFC 9293 with windows and SACK, and checks what it gets: bytes, order, window, acknowledgements.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/netstack/tcp/random_link.hpp"

namespace netstack::tcp {

struct peer_plan {
  std::uint64_t writes = 0, reads = 0;
  std::uint64_t out_stream = 2, in_stream = 1;
  std::uint32_t isn = 0xffff'f000;
  std::uint32_t capacity = 65'535;  // of what it receives and has not read
  std::uint16_t most_segment = 1460;
  unsigned shift = 7;
  bool scales = true, sack = true;
  bool slow = false;  // reads a little at a time
};

class model_peer {
 public:
  model_peer(peer_plan plan, std::uint64_t seed) : plan_(plan), random_(seed) {}

  void open() { opens_ = true; }

  void on_segment(const segment& s, time_point now) {
    if (s.flags.rst) {
      was_reset = true;
      return;
    }
    if (s.flags.syn) return on_syn(s, now);
    if (!synchronized_) return;
    check_acknowledgement(s);
    take_acknowledgement(s, now);
    take_payload(s);
  }

  void on_time(time_point now) {
    if (app_at_ <= now) {
      read_some(now);
      app_at_ = never;
    }
    if (timer_ <= now) {  // everything that is not acknowledged goes out again
      next_ = acknowledged_;
      rto_ = std::min<duration>(rto_ * 2, std::chrono::seconds(5));
      timer_ = never;
      probe_due_ = true;
      if (!synchronized_ && opens_) syn_sent_ = false;
    }
    if (plan_.slow && app_at_ == never && !finished())
      app_at_ = now + std::chrono::microseconds(std::uniform_int_distribution<>(1, 20'000)(random_));
  }
  [[nodiscard]] time_point wake_at() const { return std::min(timer_, app_at_); }

  void send_all(random_link& to, time_point now) {
    if (opens_ && !synchronized_) {
      if (!syn_sent_) send_syn(to, now, false);
      return;
    }
    if (!synchronized_) return;
    if (std::exchange(syn_ack_due_, false)) send_syn(to, now, true);
    while (send_data(to, now)) {
    }
    if (std::exchange(acknowledgement_due_, false)) to.send(carried(make(next_)), now);
  }

  // Both streams are through, and both ends known.
  [[nodiscard]] bool finished() const { return fin_read && read == plan_.reads && acknowledged_ == plan_.writes + 1; }
  // The other end has everything and is gone: a RST answers what is repeated.
  void end() {
    acknowledged_ = next_ = plan_.writes + 1;
    timer_ = never;
  }
  [[nodiscard]] std::uint64_t highest_sent() const { return highest_; }
  [[nodiscard]] std::uint64_t window_edge() const { return edge_; }

  std::uint64_t read = 0;
  bool fin_read = false, was_reset = false;
  std::uint64_t repeated = 0;  // bytes that came more than once

 private:
  void on_syn(const segment& s, time_point) {
    if (synchronized_) {
      (opens_ ? acknowledgement_due_ : syn_ack_due_) = true;
      return;
    }
    their_isn_ = s.number.value;
    their_shift_ = plan_.scales ? s.options.window_shift.value_or(0) : 0;
    if (opens_ && !(s.flags.ack && s.acknowledged.value == plan_.isn + 1)) return;
    their_edge_ = s.window;
    synchronized_ = true;
    timer_ = never;
    (opens_ ? acknowledgement_due_ : syn_ack_due_) = true;
  }

  void send_syn(random_link& to, time_point now, bool ack) {
    segment s;
    s.number = {plan_.isn};
    s.flags.syn = true;
    s.flags.ack = ack;
    s.acknowledged = {their_isn_ + 1};
    s.window = static_cast<std::uint16_t>(std::min(plan_.capacity, 65'535U));
    s.options.most_segment = plan_.most_segment;
    if (plan_.scales) s.options.window_shift = static_cast<std::uint8_t>(plan_.shift);
    s.options.sack_permitted = plan_.sack;
    edge_ = std::max<std::uint64_t>(edge_, s.window);
    to.send(carried(s), now);
    syn_sent_ = true;
    if (!ack) timer_ = now + rto_;
  }

  void check_acknowledgement(const segment& s) {
    ASSERT_TRUE(s.flags.ack);
    const std::uint32_t offset = s.acknowledged.value - plan_.isn - 1;
    ASSERT_LE(offset, highest_) << "an acknowledgement of what was never sent";
  }

  void take_acknowledgement(const segment& s, time_point now) {
    const std::uint32_t offset = s.acknowledged.value - plan_.isn - 1;
    const auto edge = std::uint64_t{offset} + (std::uint64_t{s.window} << their_shift_);
    their_edge_ = std::max(their_edge_, edge);  // a right edge never moves to the left
    if (offset <= acknowledged_) return;
    acknowledged_ = offset;
    next_ = std::max(next_, acknowledged_);
    rto_ = std::chrono::milliseconds(200);
    timer_ = next_ > acknowledged_ ? now + rto_ : never;
  }

  void take_payload(const segment& s) {
    const std::int32_t from = static_cast<std::int32_t>(s.number.value - their_isn_ - 1);
    if (s.length() == 0) {
      if (from == static_cast<std::int32_t>(received_) - 1) acknowledgement_due_ = true;  // keep-alive
      return;
    }
    acknowledgement_due_ = true;
    ASSERT_GE(from, 0);
    const auto begin = static_cast<std::uint64_t>(from);
    const auto end = begin + s.payload.size();
    ASSERT_LE(end, std::max(edge_, begin + 1)) << "beyond the window";
    if (begin < edge_) ASSERT_LE(end, edge_) << "beyond the window";
    if (s.flags.fin) {
      ASSERT_EQ(end, plan_.reads) << "the FIN is not behind the last byte";
      fin_at_ = end;
    }
    for (auto at = begin; at < end && at < read + plan_.capacity; ++at) {
      ASSERT_EQ(s.payload[at - begin], stream_byte(plan_.in_stream, at));
      if (at < received_ || !here_.emplace(at, true).second) ++repeated;
    }
    while (!here_.empty() && here_.begin()->first <= received_) {
      if (here_.begin()->first == received_) ++received_;
      here_.erase(here_.begin());
    }
    if (!plan_.slow) read = received_;
    if (fin_at_ == received_) fin_read = true;
  }

  void read_some(time_point) {
    const auto before = edge_;
    read += std::min<std::uint64_t>(received_ - read, std::uniform_int_distribution<unsigned>(0, 8'000)(random_));
    if (read + plan_.capacity > before + plan_.capacity / 2) acknowledgement_due_ = true;
  }

  segment make(std::uint64_t at) {
    segment s;
    s.number = {plan_.isn + 1 + static_cast<std::uint32_t>(at)};
    s.flags.ack = true;
    s.acknowledged = {their_isn_ + 1 + static_cast<std::uint32_t>(received_) + (fin_read ? 1U : 0U)};
    const auto shift = plan_.scales ? plan_.shift : 0;
    const auto free = read + plan_.capacity - received_;
    s.window = static_cast<std::uint16_t>(std::min<std::uint64_t>(free >> shift, 65'535));
    edge_ = std::max(edge_, received_ + (std::uint64_t{s.window} << shift));
    if (plan_.sack) add_blocks(s.options);
    return s;
  }

  void add_blocks(options& o) {
    for (auto i = here_.begin(); i != here_.end() && o.sack_blocks < 3;) {
      const auto begin = i->first;
      auto end = begin;
      for (; i != here_.end() && i->first == end; ++i) ++end;
      o.sack[o.sack_blocks++] = {{their_isn_ + 1 + static_cast<std::uint32_t>(begin)},
                                 {their_isn_ + 1 + static_cast<std::uint32_t>(end)}};
    }
  }

  bool send_data(random_link& to, time_point now) {
    if (next_ > plan_.writes) return false;
    auto size = std::min<std::uint64_t>(plan_.writes - next_, plan_.most_segment);
    const auto open = their_edge_ > next_ ? their_edge_ - next_ : 0;
    size = std::min(size, open);
    if (size == 0 && next_ < plan_.writes) {
      if (timer_ == never) timer_ = now + rto_;
      if (acknowledged_ < next_ || !std::exchange(probe_due_, false)) return false;
      size = 1;
    }
    auto s = make(next_);
    std::vector<std::uint8_t> payload(size);
    for (std::uint64_t i = 0; i < size; ++i) payload[i] = stream_byte(plan_.out_stream, next_ + i);
    s.payload = payload;
    s.flags.fin = next_ + size == plan_.writes;
    acknowledgement_due_ = false;
    to.send(carried(s), now);
    next_ += size + (s.flags.fin ? 1 : 0);
    highest_ = std::max(highest_, next_);
    if (timer_ == never) timer_ = now + rto_;
    return open > 0;
  }

  peer_plan plan_;
  std::mt19937_64 random_;
  bool opens_ = false, syn_sent_ = false, synchronized_ = false;
  bool acknowledgement_due_ = false, syn_ack_due_ = false, probe_due_ = false;
  std::uint32_t their_isn_ = 0;
  unsigned their_shift_ = 0;
  std::uint64_t their_edge_ = 0;
  std::uint64_t acknowledged_ = 0, next_ = 0, highest_ = 0;  // of what it sends; offsets of the stream
  std::uint64_t received_ = 0, edge_ = 0;                    // of what it gets
  std::map<std::uint64_t, bool> here_;                       // bytes out of order
  std::uint64_t fin_at_ = ~std::uint64_t{0};
  time_point timer_ = never, app_at_ = never;
  duration rto_ = std::chrono::milliseconds(200);
};

}  // namespace netstack::tcp
