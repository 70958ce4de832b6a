#include "netstack/tcp/sack_scoreboard.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

constexpr sequence first{0xffff'f000};
constexpr time_point began{1h};

struct board : sack_scoreboard {
  // `count` segments of 1,000 bytes.
  void send(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i, end += 1'000) sent(end, end + 1'000, began);
  }
  report acknowledge(std::uint32_t to, std::vector<std::pair<unsigned, unsigned>> blocks = {}, duration after = 100us) {
    std::vector<sack_block> all;
    for (const auto& [a, b] : blocks) all.push_back({first + a, first + b});
    return acknowledged(first + to, all, began + after);
  }
  bool lost_now(duration after = 100us, bool repairing = false) {
    return find_losses(began + after, {.shortest = 100us, .smoothed = 100us}, repairing);
  }
  sequence end = first;
};

TEST(sack_scoreboard, a_cumulative_acknowledgement_empties_it) {
  board b;
  b.send(5);
  EXPECT_EQ(b.in_flight(), 5'000U);
  const auto r = b.acknowledge(5'000);
  EXPECT_EQ(r.delivered, 5'000U);
  EXPECT_EQ(r.round_trip, 100us);
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(b.in_flight(), 0U);
  EXPECT_FALSE(b.lost_now());
}

TEST(sack_scoreboard, three_segments_beyond_a_gap_make_it_a_loss) {
  board b;
  b.send(5);
  EXPECT_EQ(b.acknowledge(0, {{1'000, 3'000}}).delivered, 2'000U);
  EXPECT_FALSE(b.lost_now());
  EXPECT_EQ(b.next_check(), began + 125us);  // a quarter of a round trip later at the latest
  b.acknowledge(0, {{1'000, 4'000}});
  EXPECT_TRUE(b.lost_now());
  EXPECT_EQ(b.first_lost()->begin, first);
  EXPECT_EQ(b.lost(), 1'000U);
  EXPECT_EQ(b.in_flight(), 1'000U);
}

TEST(sack_scoreboard, fewer_segments_and_a_quarter_of_a_round_trip_do_too) {
  board b;
  b.send(3);
  b.acknowledge(0, {{1'000, 2'000}});
  EXPECT_FALSE(b.lost_now(124us));
  EXPECT_TRUE(b.lost_now(125us));
}

TEST(sack_scoreboard, tolerated_reordering_costs_a_round_trip_at_most_and_forgotten_a_quarter) {
  board b;
  for (int i = 0; i < 3; ++i) b.tolerate_reordering();
  b.send(3);
  b.acknowledge(0, {{1'000, 2'000}});
  EXPECT_FALSE(b.lost_now());
  EXPECT_EQ(b.next_check(), began + 200us);
  b.forget_reordering();
  EXPECT_FALSE(b.lost_now());
  EXPECT_EQ(b.next_check(), began + 125us);
}

TEST(sack_scoreboard, a_gap_that_fills_without_a_repetition_means_reordering) {
  board b;
  b.send(12);
  b.acknowledge(0, {{1'000, 2'000}});
  b.acknowledge(2'000);
  b.acknowledge(2'000, {{3'000, 9'000}});
  EXPECT_FALSE(b.lost_now());  // six segments are beyond the hole
  EXPECT_TRUE(b.lost_now(125us));
}

TEST(sack_scoreboard, blocks_cut_records) {
  board b;
  b.send(1);
  b.acknowledge(0, {{200, 300}, {600, 700}});
  EXPECT_EQ(b.records(), 5U);
  EXPECT_EQ(b.in_flight(), 800U);
  b.acknowledge(0, {{0, 1'000}});
  EXPECT_EQ(b.in_flight(), 0U);
  b.acknowledge(1'000);
  EXPECT_TRUE(b.empty());
}

TEST(sack_scoreboard, records_are_bounded_whatever_the_blocks) {
  board b;
  b.send(20);
  for (std::uint32_t at = 1; at + 1 < 20'000; at += 2) b.acknowledge(0, {{at, at + 1}});
  EXPECT_LE(b.records(), sack_scoreboard::most_records);
  b.acknowledge(20'000);
  EXPECT_TRUE(b.empty());
  b.trim();
  EXPECT_EQ(b.memory(), 0U);
}

TEST(sack_scoreboard, a_part_that_is_sent_again_is_a_record_of_its_own) {
  board b;
  b.send(2);
  b.lose_all();
  EXPECT_EQ(b.lost(), 2'000U);
  b.sent_again(first, 400, began + 1ms);
  EXPECT_EQ(b.in_flight(), 400U);
  EXPECT_EQ(b.lost(), 1'600U);
  EXPECT_EQ(b.first_lost()->begin, first + 400);
}

TEST(sack_scoreboard, a_repetition_measures_no_round_trip) {
  board b;
  b.send(1);
  b.lose_all();
  b.sent_again(first, 1'000, began + 1ms);
  EXPECT_FALSE(b.acknowledge(1'000, {}, 2ms).round_trip);
}

TEST(sack_scoreboard, a_peer_that_takes_its_report_back_gets_everything_again) {
  board b;
  b.send(3);
  b.acknowledge(0, {{0, 1'000}});
  b.lose_all();
  EXPECT_EQ(b.lost(), 3'000U);
  EXPECT_EQ(b.first_lost()->begin, first);
}

TEST(sack_scoreboard, duplicates_are_seen) {
  board b;
  b.send(5);
  EXPECT_FALSE(b.acknowledge(1'000).duplicate);
  EXPECT_TRUE(b.acknowledge(1'000, {{0, 1'000}}).duplicate);
  EXPECT_TRUE(b.acknowledge(1'000, {{2'000, 3'000}, {2'000, 4'000}}).duplicate);
  EXPECT_FALSE(b.acknowledge(1'000, {{2'000, 4'000}}).duplicate);
}

TEST(sack_scoreboard, many_segments_leave_no_memory_behind) {
  board b;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    b.send(2);
    b.acknowledge((i + 1) * 2'000 - 1'000);
  }
  EXPECT_LT(b.memory(), 10'000U);
}

}  // namespace
}  // namespace netstack::tcp
