#include "async/condition.hpp"

#include <gtest/gtest.h>

#include "tests/support/event_loop.hpp"

namespace async {
namespace {

using namespace std::chrono_literals;

task<> count_a_wake_up(condition& c, int& woken) {
  co_await c.wait();
  ++woken;
}

TEST(condition, wakes_all_that_wait_and_no_later_ones) {
  support::event_loop loop;
  condition c(loop.executor());
  int woken = 0;
  for (int i = 0; i < 3; ++i) loop.spawn(count_a_wake_up(c, woken));
  EXPECT_FALSE(loop.run_until([&] { return woken > 0; }, 20ms));
  c.notify_all();
  EXPECT_TRUE(loop.run_until([&] { return woken == 3; }));
  loop.spawn(count_a_wake_up(c, woken));
  EXPECT_FALSE(loop.run_until([&] { return woken > 3; }, 20ms));
  loop.stop();
}

task<bool> wait_until_deadline(condition& c, clock::duration limit) {
  co_await c.wait_until(clock::now() + limit);
  co_return true;
}

TEST(condition, waits_no_longer_than_asked) {
  support::event_loop loop;
  condition c(loop.executor());
  EXPECT_TRUE(loop.run(wait_until_deadline(c, 10ms)));
  EXPECT_TRUE(loop.run(wait_until_deadline(c, -1s)));
}

TEST(condition, time_can_be_passed_in) {
  support::event_loop loop;
  condition c(loop.executor());
  int due = 0, later = 0;
  auto wait = [](condition& what, clock::time_point when, int& done) -> task<> {
    co_await what.wait_until(when);
    ++done;
  };
  const auto begin = std::chrono::steady_clock::now();
  loop.spawn(wait(c, clock::now() + 10min, due));
  loop.spawn(wait(c, clock::now() + 30min, later));
  loop.pass_time(11min);
  EXPECT_TRUE(loop.run_until([&] { return due == 1; }));
  EXPECT_EQ(later, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5min);
  c.notify_all();
}

TEST(yield, lets_others_run_between) {
  support::event_loop loop;
  std::string order;
  auto write = [](std::string& into, char what) -> task<> {
    for (int i = 0; i < 3; ++i) {
      into += what;
      co_await yield();
    }
  };
  loop.spawn(write(order, 'a'));
  loop.spawn(write(order, 'b'));
  EXPECT_TRUE(loop.run_until([&] { return order.size() == 6; }));
  EXPECT_EQ(order, "ababab");
}

task<> note_cancellation(condition& c, bool& cancelled) {
  try {
    co_await c.wait();
  } catch (const boost::system::system_error& e) {
    cancelled = e.code() == asio::error::operation_aborted;
    throw;
  }
}

TEST(condition, throws_when_cancelled) {
  support::event_loop loop;
  condition c(loop.executor());
  bool cancelled = false;
  loop.spawn(note_cancellation(c, cancelled));
  loop.run_until([] { return false; }, 10ms);
  loop.stop();
  EXPECT_TRUE(cancelled);
}

}  // namespace
}  // namespace async
