#include "netstack/tcp/keep_alive.hpp"

#include <gtest/gtest.h>

#include <set>

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};

TEST(keep_alive, a_probe_after_four_minutes_of_silence) {
  keep_alive k;
  k.heard(start);
  EXPECT_EQ(k.wake_at(), start + 4min);
  EXPECT_FALSE(k.on_time(start + 4min - 1ns));
  EXPECT_FALSE(k.take_due(start + 4min - 1ns));
  EXPECT_FALSE(k.on_time(start + 4min));
  EXPECT_TRUE(k.take_due(start + 4min));
  EXPECT_FALSE(k.take_due(start + 4min)) << "once";
  EXPECT_EQ(k.wake_at(), start + 4min + 30s);
}

TEST(keep_alive, five_probes_without_an_answer_are_the_end_within_eight_minutes) {
  keep_alive k;
  k.heard(start);
  unsigned probes = 0;
  auto now = start;
  for (now = k.wake_at(); !k.on_time(now); now = k.wake_at()) probes += k.take_due(now) ? 1 : 0;
  EXPECT_EQ(probes, keep_alive::most_probes);
  EXPECT_LE(now, start + 8min);
}

TEST(keep_alive, a_word_begins_the_silence_anew) {
  keep_alive k;
  k.heard(start);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(k.on_time(k.wake_at()));
  const auto answered = start + 6min;
  k.heard(answered);
  EXPECT_FALSE(k.take_due(answered)) << "a probe that has not gone out is not needed";
  EXPECT_EQ(k.wake_at(), answered + 4min);
}

// Connections of different moments are probed at the same ones.
TEST(keep_alive, probes_go_out_at_whole_half_minutes) {
  std::set<time_point> moments;
  for (int i = 0; i < 300; ++i) {
    keep_alive k;
    const auto heard = start + i * 100ms;
    k.heard(heard);
    EXPECT_GE(k.wake_at() - heard, 4min);
    EXPECT_LT(k.wake_at() - heard, 4min + 30s);
    moments.insert(k.wake_at());
  }
  EXPECT_EQ(moments.size(), 2U) << "of 300 connections that were quiet since half a minute";
}

TEST(keep_alive, after_a_long_stop_it_asks_before_it_gives_up) {
  keep_alive k;
  k.heard(start);
  for (unsigned i = 0; i < keep_alive::most_probes; ++i) {
    EXPECT_FALSE(k.on_time(start + (i + 1) * 10h));
    EXPECT_TRUE(k.take_due(start + (i + 1) * 10h));
    EXPECT_GT(k.wake_at(), start + (i + 1) * 10h);
  }
  EXPECT_TRUE(k.on_time(start + 1'000h));
}

}  // namespace
}  // namespace netstack::tcp
