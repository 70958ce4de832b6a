#include "netstack/tcp/retransmission_timer.hpp"

#include <gtest/gtest.h>

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

TEST(retransmission_timer, a_second_before_the_first_measurement) {
  const retransmission_timer t;
  EXPECT_EQ(t.timeout(), 1s);
  EXPECT_FALSE(t.has_measured());
}

TEST(retransmission_timer, never_below_the_least) {
  retransmission_timer t;
  for (int i = 0; i < 100; ++i) t.measured(50us);
  EXPECT_EQ(t.timeout(), 200ms);
  EXPECT_EQ(t.shortest(), 50us);
}

TEST(retransmission_timer, the_estimator_of_rfc_6298) {
  retransmission_timer t;
  t.measured(400ms);
  EXPECT_EQ(t.timeout(), 400ms + 4 * 200ms);
  t.measured(400ms);
  EXPECT_EQ(t.timeout(), 400ms + 4 * 150ms);
  t.measured(800ms);
  EXPECT_EQ(t.timeout(), 450ms + 4 * 212'500us);
}

TEST(retransmission_timer, doubles_up_to_the_most_and_begins_again) {
  retransmission_timer t;
  t.measured(1ms);
  duration last = t.timeout();
  for (int i = 0; i < 8; ++i) {
    t.back_off();
    EXPECT_EQ(t.timeout(), std::min<duration>(2 * last, 60s));
    last = t.timeout();
  }
  for (int i = 0; i < 100; ++i) t.back_off();
  EXPECT_EQ(t.timeout(), 60s);
  t.answered();
  EXPECT_EQ(t.timeout(), 200ms);
}

TEST(retransmission_timer, a_probe_comes_before_the_time_out) {
  retransmission_timer t;
  t.measured(1ms);
  EXPECT_EQ(t.probe_timeout(false), 7ms);
  EXPECT_EQ(t.probe_timeout(true), 47ms);
}

TEST(retransmission_timer, probes_of_closed_windows_meet_at_whole_seconds) {
  constexpr time_point now{10h + 123'456us};
  retransmission_timer t;
  t.measured(1ms);
  EXPECT_EQ(t.window_probe_at(now), now + 200ms) << "a short wait is kept";
  for (int i = 0; i < 4; ++i) t.back_off();
  EXPECT_EQ(t.window_probe_at(now), time_point(10h + 3s)) << "3.2 s, in steps of a second";
  for (int i = 0; i < 9; ++i) t.back_off();
  EXPECT_EQ(t.timeout(), 60s);
  EXPECT_EQ(t.window_probe_at(now), time_point(10h + 48s)) << "in steps of 16 s";
  for (auto at = now; at < now + 60s; at += 333ms) {
    EXPECT_GT(t.window_probe_at(at) - at, 43s);
    EXPECT_LE(t.window_probe_at(at) - at, 60s);
  }
}

}  // namespace
}  // namespace netstack::tcp
