#include "os/event_loop.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/eventually.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;
using support::eventually;

std::size_t tickers(event_loop& loop) {
  std::size_t count = 0;
  loop.call([&] { count = loop.tickers(); });
  return count;
}

TEST(event_loop, every_ticker_keeps_its_own_time) {
  std::atomic<int> often = 0, once = 0, seldom = 0;
  event_loop loop;
  loop.call([&] {
    loop.every(1h, [&] { return ++seldom, true; });
    loop.every(2ms, [&] { return ++often, true; });
    loop.every(1ms, [&] { return ++once, false; });
  });
  EXPECT_TRUE(eventually(5s, [&] { return often >= 5; }));
  EXPECT_EQ(once, 1);
  EXPECT_EQ(seldom, 0);
  EXPECT_EQ(tickers(loop), 2U);
}

TEST(event_loop, a_tick_may_add_another) {
  std::atomic<bool> second = false;
  event_loop loop;
  loop.call([&] {
    loop.every(1ms, [&] {
      loop.every(1ms, [&] { return second = true, false; });
      return false;
    });
  });
  EXPECT_TRUE(eventually(5s, [&] { return second.load(); }));
  EXPECT_TRUE(eventually(5s, [&] { return tickers(loop) == 0; }));
}

TEST(event_loop, a_turn_ends_with_its_last_call_and_begins_again_when_it_is_due) {
  std::atomic<int> turns = 0;
  event_loop loop;
  loop.call([&] { loop.after_each_turn([&] { return ++turns < 5 ? loop.now() + 1ms : clock::time_point::max(); }); });
  EXPECT_TRUE(eventually(5s, [&] { return turns == 5; }));
}

TEST(event_loop, a_posted_command_ends_with_a_turn) {
  std::atomic<int> commands = 0, seen = 0;
  event_loop loop;
  loop.call([&] { loop.after_each_turn([&] { return seen = commands.load(), clock::time_point::max(); }); });
  loop.post([&] { ++commands; });
  EXPECT_TRUE(eventually(5s, [&] { return seen == 1; }));
}

}  // namespace
}  // namespace os
