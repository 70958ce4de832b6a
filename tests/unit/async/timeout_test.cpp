#include "async/timeout.hpp"

#include <gtest/gtest.h>

#include "async/condition.hpp"
#include "tests/support/event_loop.hpp"

namespace async {
namespace {

using namespace std::chrono_literals;

task<base::result<int>> answer(int value) { co_return value; }
task<base::result<int>> fail_with(std::string context) { co_return base::fail(std::move(context)); }

// Never ends by itself, and takes a while to wind up.
task<base::result<int>> hang(bool& wound_up) {
  std::exception_ptr thrown;
  try {
    co_await sleep_for(1h);
  } catch (...) {
    thrown = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await sleep_for(5ms);
  wound_up = true;
  std::rethrow_exception(thrown);
}

TEST(timeout, passes_a_result_on) {
  support::event_loop loop;
  EXPECT_EQ(loop.run(within(10s, answer(7))), 7);
  const auto failed = loop.run(within(10s, fail_with("no")));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().context, "no");
}

TEST(timeout, cancels_at_the_deadline_and_waits_for_the_end) {
  support::event_loop loop;
  bool wound_up = false;
  const auto late = loop.run(within(10ms, hang(wound_up)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, std::errc::timed_out);
  EXPECT_TRUE(wound_up);
}

TEST(timeout, a_deadline_that_has_passed_is_one_too) {
  support::event_loop loop;
  bool wound_up = false;
  EXPECT_FALSE(loop.run(until(clock::now() - 1s, hang(wound_up))));
}

task<base::result<int>> throw_something() {
  co_await sleep_for(1ms);
  throw std::runtime_error("broken");
}
task<bool> catches(task<base::result<int>> work) {
  try {
    static_cast<void>(co_await within(10s, std::move(work)));
  } catch (const std::runtime_error&) {
    co_return true;
  }
  co_return false;
}

TEST(timeout, lets_exceptions_through) {
  support::event_loop loop;
  EXPECT_TRUE(loop.run(catches(throw_something())));
}

task<> wait_within(bool& wound_up) { static_cast<void>(co_await within(1h, hang(wound_up))); }

TEST(timeout, cancelling_the_caller_cancels_the_work_and_waits_for_it) {
  support::event_loop loop;
  bool wound_up = false;
  loop.spawn(wait_within(wound_up));
  loop.run_until([] { return false; }, 10ms);
  loop.stop();
  EXPECT_TRUE(wound_up);
}

task<int> time_out_and_go_on(bool& wound_up) {
  static_cast<void>(co_await within(1ms, hang(wound_up)));
  co_await sleep_for(1ms);
  co_return 1;
}

TEST(timeout, the_caller_is_not_cancelled_by_a_timeout) {
  support::event_loop loop;
  bool wound_up = false;
  EXPECT_EQ(loop.run(time_out_and_go_on(wound_up)), 1);
}

// Winding up is done with cancellation disabled; a timeout in it must leave it so.
task<> wind_up_with_a_timeout(bool& first, bool& second, bool& finished) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  static_cast<void>(co_await within(1ms, hang(first)));
  second = true;
  co_await sleep_for(30ms);
  finished = true;
}

TEST(timeout, leaves_disabled_cancellation_disabled) {
  support::event_loop loop;
  bool first = false, second = false, finished = false;
  loop.spawn(wind_up_with_a_timeout(first, second, finished));
  ASSERT_TRUE(loop.run_until([&] { return second; }));
  loop.stop();
  EXPECT_TRUE(finished);
}

task<base::result<int>> wind_up_and_tell(bool& winding, bool& wound_up) {
  std::exception_ptr thrown;
  try {
    co_await sleep_for(1h);
  } catch (...) {
    thrown = std::current_exception();
  }
  winding = true;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await sleep_for(20ms);
  wound_up = true;
  std::rethrow_exception(thrown);
}

task<> try_for_ever(bool& winding, int& rounds) {
  while (true) {
    bool wound_up = false;
    static_cast<void>(co_await within(1ms, wind_up_and_tell(winding, wound_up)));
    ++rounds;
  }
}

// The deadline and the shutdown at the same time: the second must not get lost in the first.
TEST(timeout, a_cancellation_that_comes_while_the_work_winds_up_counts) {
  support::event_loop loop;
  task_group group(loop.executor());
  bool winding = false;
  int rounds = 0;
  group.spawn("tries", try_for_ever(winding, rounds));
  ASSERT_TRUE(loop.run_until([&] { return winding; }));
  EXPECT_TRUE(loop.run(group.stop(clock::now() + 5s)));
  EXPECT_EQ(rounds, 0);
}

// A loop that only ever sees error codes ends nevertheless: the next co_await throws.
task<> ignore_errors(condition& wake, int& rounds) {
  while (true) {
    async::timer timer(co_await asio::this_coro::executor, clock::now() + 1h);
    ++rounds;
    wake.notify_all();
    co_await timer.async_wait(nothrow);
  }
}

TEST(timeout, a_cancelled_task_is_thrown_out_of_its_next_wait) {
  support::event_loop loop;
  condition wake(loop.executor());
  int rounds = 0;
  loop.spawn(ignore_errors(wake, rounds));
  ASSERT_TRUE(loop.run_until([&] { return rounds == 1; }));
  loop.stop();
  EXPECT_LE(rounds, 2);
}

}  // namespace
}  // namespace async
