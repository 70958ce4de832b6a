#include "netstack/tcp/congestion_window.hpp"

#include <gtest/gtest.h>

namespace netstack::tcp {
namespace {

constexpr std::size_t floor_size = 5'840;

TEST(congestion_window, doubles_each_round_trip_until_a_loss) {
  congestion_window w(floor_size);
  EXPECT_EQ(w.size(), congestion_window::initial);
  w.acknowledged(w.size(), w.size());
  EXPECT_EQ(w.size(), 2 * congestion_window::initial);
}

TEST(congestion_window, a_loss_takes_three_tenths_and_an_eighth_comes_back_each_round_trip) {
  congestion_window w(floor_size);
  w.lost(60'000);
  EXPECT_EQ(w.size(), 42'000U);
  w.acknowledged(42'000, 42'000);
  EXPECT_EQ(w.size(), 47'250U);
}

TEST(congestion_window, never_below_its_floor_and_never_above_the_most) {
  congestion_window w(floor_size);
  for (int i = 0; i < 100; ++i) w.lost(1'000);
  EXPECT_EQ(w.size(), floor_size);
  for (int i = 0; i < 1'000; ++i) w.acknowledged(w.size(), w.size());
  EXPECT_EQ(w.size(), congestion_window::most);
}

TEST(congestion_window, a_time_out_begins_again_up_to_half) {
  congestion_window w(floor_size);
  w.timed_out(60'000);
  EXPECT_EQ(w.size(), floor_size);
  for (int i = 0; i < 3; ++i) w.acknowledged(w.size(), w.size());
  EXPECT_GT(w.size(), 30'000U);
}

TEST(congestion_window, does_not_grow_while_the_peer_limits_the_flow) {
  congestion_window w(floor_size);
  w.acknowledged(10'000, 10'000);
  EXPECT_EQ(w.size(), congestion_window::initial);
}

TEST(congestion_window, a_false_loss_is_undone) {
  congestion_window w(floor_size);
  w.acknowledged(64'000, 64'000);
  const auto before = w.size();
  w.lost(before);
  w.undo();
  EXPECT_EQ(w.size(), before);
}

}  // namespace
}  // namespace netstack::tcp
