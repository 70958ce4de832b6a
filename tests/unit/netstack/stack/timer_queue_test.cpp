#include "netstack/stack/timer_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace netstack {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};

TEST(timer_queue, gives_owners_in_the_order_of_their_last_times) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    timer_queue timers;
    std::vector<time_point> model(100, time_point::max());
    for (int change = 0; change < 1'000; ++change) {
      const auto owner = random() % model.size();
      model[owner] = random() % 4 == 0 ? time_point::max() : start + std::chrono::milliseconds(random() % 1'000);
      timers.set(static_cast<std::uint32_t>(owner), model[owner]);
      ASSERT_EQ(timers.earliest(), *std::ranges::min_element(model));
    }
    auto last = time_point::min();
    while (const auto owner = timers.take_due(start + 1h)) {
      EXPECT_GE(model[*owner], last);
      last = std::exchange(model[*owner], time_point::max());
    }
    EXPECT_EQ(std::ranges::count(model, time_point::max()), 100);
  }
}

TEST(timer_queue, nothing_is_due_before_its_time) {
  timer_queue timers;
  EXPECT_EQ(timers.earliest(), time_point::max());
  timers.set(3, start);
  EXPECT_FALSE(timers.take_due(start - 1ns));
  EXPECT_EQ(timers.take_due(start), 3U);
  EXPECT_FALSE(timers.take_due(start + 1h));
  timers.set(3, start);
  timers.cancel(3);
  timers.cancel(900);
  EXPECT_EQ(timers.earliest(), time_point::max());
}

TEST(timer_queue, a_time_may_move_both_ways) {
  timer_queue timers;
  for (std::uint32_t owner = 0; owner < 10; ++owner) timers.set(owner, start + 1s * owner);
  timers.set(9, start - 1s);  // the last one is the first
  EXPECT_EQ(timers.earliest(), start - 1s);
  timers.set(9, start + 100s);
  timers.set(0, start + 50s);
  EXPECT_EQ(timers.earliest(), start + 1s);
  timers.set(1, start + 1s);  // the same
  std::vector<std::uint32_t> order;
  while (const auto owner = timers.take_due(start + 1'000s)) order.push_back(*owner);
  EXPECT_EQ(order, (std::vector<std::uint32_t>{1, 2, 3, 4, 5, 6, 7, 8, 0, 9}));
}

TEST(timer_queue, one_that_was_taken_may_be_set_again) {
  timer_queue timers;
  timers.set(7, start);
  for (int i = 1; i <= 100; ++i) {
    ASSERT_EQ(timers.take_due(start + 1s * i), 7U);
    timers.set(7, start + 1s * (i + 1));
    ASSERT_FALSE(timers.take_due(start + 1s * i));
  }
}

TEST(timer_queue, of_many_with_one_time_each_comes_once) {
  timer_queue timers;
  for (std::uint32_t owner = 0; owner < 1'000; ++owner) timers.set(owner, start);
  for (std::uint32_t owner = 0; owner < 1'000; owner += 3) timers.cancel(owner);
  std::vector<bool> seen(1'000);
  std::size_t count = 0;
  while (const auto owner = timers.take_due(start)) {
    ASSERT_FALSE(seen[*owner]);
    ASSERT_NE(*owner % 3, 0U);
    seen[*owner] = true;
    ++count;
  }
  EXPECT_EQ(count, 666U);
}

}  // namespace
}  // namespace netstack
