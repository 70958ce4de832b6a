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

}  // namespace
}  // namespace os
