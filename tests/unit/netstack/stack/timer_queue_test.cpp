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

}  // namespace
}  // namespace netstack
