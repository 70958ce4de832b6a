#include "os/signals.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/support/event_loop.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;

async::task<> keep_signal(std::optional<int>& into) { into = co_await stop_signal(); }

// In a process of its own, as it changes what signals do for good.
int first_signal(int number, bool before_the_wait) {
  catch_stop_signals();
  support::event_loop loop;
  std::optional<int> got;
  if (before_the_wait) ::raise(number);
  loop.spawn(keep_signal(got));
  loop.run_until([] { return false; }, 5ms);
  if (!before_the_wait) ::raise(number);
  return loop.run_until([&] { return got.has_value(); }, 10s) ? *got : -1;
}

TEST(signals_death, the_first_one_is_answered_whenever_it_came) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const int number : {SIGTERM, SIGINT})
    for (const bool early : {true, false})
      EXPECT_EXIT(std::_Exit(first_signal(number, early)), testing::ExitedWithCode(number), "");
}

TEST(signals_death, a_later_one_ends_the_program) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        first_signal(SIGINT, false);
        while (true) ::raise(SIGTERM);
      },
      testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST(signals_death, a_pipe_that_is_gone_does_not_end_the_program) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        catch_stop_signals();
        ::raise(SIGPIPE);
        std::_Exit(42);
      },
      testing::ExitedWithCode(42), "");
}

async::task<> count_requests(int& into) {
  while (true) {
    co_await user_signal();
    ++into;
  }
}

// Its default action ends a program.
TEST(signals_death, each_request_is_reported_once_whenever_it_came) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        catch_stop_signals();
        ::raise(SIGUSR1);
        support::event_loop loop;
        int requests = 0;
        loop.spawn(count_requests(requests));
        bool counted = loop.run_until([&] { return requests == 1; });
        ::raise(SIGUSR1);
        ::raise(SIGUSR1);
        counted = counted && loop.run_until([&] { return requests == 3; });
        loop.stop();
        ::raise(SIGUSR1);
        std::_Exit(counted && requests == 3 ? 42 : 1);
      },
      testing::ExitedWithCode(42), "");
}

TEST(signals_death, the_end_does_not_wait_for_what_hangs) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        exit_after(20ms, 7);
        while (true) ::pause();
      },
      testing::ExitedWithCode(7), "shutdown deadline exceeded");
}

}  // namespace
}  // namespace os
