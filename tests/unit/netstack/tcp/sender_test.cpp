#include "netstack/tcp/sender.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/unit/netstack/packets.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

constexpr sequence first{0xffff'f000};  // the stream wraps

struct sent_part {
  std::uint32_t at = 0;
  std::size_t size = 0;
  bool fin = false;

  bool operator==(const sent_part&) const = default;
};

struct sender_and_peer {
  explicit sender_and_peer(std::uint32_t window = 60'000, bool sack = true) : s({}, first), window(window) {
    segment last;
    last.acknowledged = first;
    s.start({.most_segment = 1'000, .sack = sack}, window, last);
    s.measured(10ms);
  }

  void write(std::size_t size) {
    while (size > 0) {
      std::size_t done = 0;
      for (const auto slice : s.room({})) done += std::min(slice.size(), size - done);
      if (done == 0) return;
      s.written(done);
      size -= done;
    }
  }
  std::vector<sent_part> send(std::size_t budget = std::numeric_limits<std::size_t>::max()) {
    std::vector<sent_part> all;
    for (outgoing o; s.next_segment(o, now, budget); o = {})
      all.push_back({o.header.number.value - first.value, o.payload_size(), o.header.flags.fin});
    return all;
  }
  void acknowledge(std::uint32_t at, std::vector<std::pair<std::uint32_t, std::uint32_t>> blocks = {}) {
    segment a;
    a.flags.ack = true;
    a.acknowledged = first + at;
    a.window = static_cast<std::uint16_t>(window);
    for (const auto& [begin, end] : blocks) a.options.sack[a.options.sack_blocks++] = {first + begin, first + end};
    s.on_segment(a, now);
  }
  // Until something goes out.
  std::vector<sent_part> wait() {
    while (s.wake_at() != never) {
      now = std::max(now, s.wake_at());
      s.on_time(now);
      if (s.timed_out()) break;
      if (auto sent = send(); !sent.empty()) return sent;
    }
    return {};
  }

  sender s;
  std::uint32_t window;
  time_point now{1h};
};

TEST(sender, whole_segments_and_what_is_left) {
  sender_and_peer p;
  p.write(2'500);
  EXPECT_EQ(p.send(), (std::vector<sent_part>{{0, 1'000}, {1'000, 1'000}, {2'000, 500}}));
  EXPECT_EQ(p.s.next(), first + 2'500);
  EXPECT_EQ(p.s.oldest(), first);
  p.acknowledge(2'500);
  EXPECT_TRUE(p.s.idle());
  EXPECT_TRUE(p.s.drained());
  EXPECT_EQ(p.s.wake_at(), never);
}

TEST(sender, a_budget_cuts_at_segments) {
  sender_and_peer p;
  p.write(3'000);
  outgoing o;
  EXPECT_FALSE(p.s.next_segment(o, p.now, 0));
  EXPECT_FALSE(p.s.next_segment(o, p.now, 999)) << "no crumbs";
  EXPECT_TRUE(p.s.next_segment(o, p.now, 1'999));
  EXPECT_EQ(o.payload_size(), 1'000U);
}

TEST(sender, the_fin_stands_behind_the_last_byte_and_takes_a_number) {
  sender_and_peer p;
  p.write(1'500);
  p.s.finish();
  EXPECT_EQ(p.send(), (std::vector<sent_part>{{0, 1'000}, {1'000, 500, true}}));
  p.acknowledge(1'500);
  EXPECT_FALSE(p.s.finished());
  p.acknowledge(1'501);
  EXPECT_TRUE(p.s.finished());
  sender_and_peer empty;
  empty.s.finish();
  EXPECT_EQ(empty.send(), (std::vector<sent_part>{{0, 0, true}}));
}

TEST(sender, a_loss_that_sack_reports_is_repeated_at_once_and_alone) {
  sender_and_peer p;
  p.write(8'000);
  p.send();
  p.now += 10ms;
  p.acknowledge(1'000, {{2'000, 5'000}});
  EXPECT_EQ(p.send(), (std::vector<sent_part>{{1'000, 1'000}}));
  p.now += 10ms;
  p.acknowledge(8'000);
  EXPECT_TRUE(p.s.idle());
}

TEST(sender, the_last_segment_is_probed_long_before_the_time_out) {
  sender_and_peer p;
  p.write(3'000);
  p.send();
  const auto began = p.now;
  EXPECT_EQ(p.wait(), (std::vector<sent_part>{{2'000, 1'000}}));
  EXPECT_LE(p.now - began, 2 * 10ms + 45ms);
  // The probe is reported, so the rest is lost: no time-out is needed.
  p.now += 10ms;
  p.acknowledge(0, {{2'000, 3'000}});
  EXPECT_EQ(p.send(), (std::vector<sent_part>{{0, 1'000}, {1'000, 1'000}}));
  EXPECT_LE(p.now - began, 75ms);
}

TEST(sender, time_outs_double_and_end_after_the_last_try) {
  sender_and_peer p(60'000, false);
  p.write(500);
  p.send();
  const auto began = p.now;
  std::vector<duration> waits;
  for (auto before = p.now; !p.wait().empty(); before = p.now) waits.push_back(p.now - before);
  EXPECT_TRUE(p.s.timed_out());
  ASSERT_EQ(waits.size(), sender::most_retries);
  EXPECT_EQ(waits[0], 200ms);
  for (std::size_t i = 1; i < waits.size(); ++i) EXPECT_EQ(waits[i], std::min<duration>(2 * waits[i - 1], 60s));
  EXPECT_GT(p.now - began, 5min);
}

TEST(sender, a_shut_window_is_probed_with_one_byte) {
  sender_and_peer p(2'000);
  p.write(5'000);
  EXPECT_EQ(p.send().size(), 2U);
  p.window = 0;
  p.acknowledge(2'000);
  EXPECT_TRUE(p.send().empty());
  EXPECT_EQ(p.wait(), (std::vector<sent_part>{{2'000, 1}}));
  p.acknowledge(2'000);  // not taken, and still shut
  EXPECT_EQ(p.wait(), (std::vector<sent_part>{{2'000, 1}}));
  p.window = 60'000;
  p.acknowledge(2'000);
  EXPECT_EQ(p.send(), (std::vector<sent_part>{{2'000, 1'000}, {3'000, 1'000}, {4'000, 1'000}}));
}

TEST(sender, a_smaller_path_makes_smaller_segments_and_repeats_the_large_ones) {
  sender_and_peer p;
  p.write(2'000);
  p.send();
  p.s.set_most_segment(400);
  const auto again = p.send();
  std::uint32_t at = 0;
  for (const auto& part : again) {
    EXPECT_LE(part.size, 400U);
    EXPECT_EQ(part.at, at);
    at += static_cast<std::uint32_t>(part.size);
  }
  EXPECT_EQ(at, 2'000U);
  p.s.set_most_segment(1);  // nonsense
  p.acknowledge(2'000);
  p.write(500);
  EXPECT_GE(p.send().at(0).size, sender::least_segment);
}

TEST(sender, room_is_announced_once_after_there_was_none) {
  sender_and_peer p(0);
  EXPECT_FALSE(p.s.take_writable());
  p.write(10'000'000);  // all the ring
  EXPECT_FALSE(p.s.take_writable());
  p.window = 60'000;
  p.acknowledge(0);
  const auto sent = p.send();
  ASSERT_FALSE(sent.empty());
  p.acknowledge(sent.back().at + static_cast<std::uint32_t>(sent.back().size));
  p.send();
  EXPECT_TRUE(p.s.take_writable());
  EXPECT_FALSE(p.s.take_writable());
}

}  // namespace
}  // namespace netstack::tcp
