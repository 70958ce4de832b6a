#include "os/signals.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>

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

TEST(signals_death, a_pipe_that_is_gone_or_a_file_at_its_limit_does_not_end_the_program) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const int number : {SIGPIPE, SIGXFSZ})
    EXPECT_EXIT(
        {
          catch_stop_signals();
          ::raise(number);
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

[[noreturn]] void write_to_a_full_pipe() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::_Exit(1);
  ::raise(SIGTERM);
  const std::array<char, 4'096> bytes{};
  while (true) static_cast<void>(!::write(ends[1], bytes.data(), bytes.size()));
}

// As when the reader of the log does not read: the thread that would look for the signal waits.
TEST(signals_death, a_full_pipe_does_not_keep_the_program) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EXIT(
      {
        catch_stop_signals(200ms);
        write_to_a_full_pipe();
      },
      testing::ExitedWithCode(0), "");
  EXPECT_GE(std::chrono::steady_clock::now() - began, 200ms);
}

// As a thread that waits for a disk.
void take_no_signal() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  ::kill(::getpid(), SIGTERM);
}

TEST(signals_death, a_thread_that_takes_no_signal_does_not_keep_the_program) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        catch_stop_signals(50ms);
        take_no_signal();
        while (true) ::pause();
      },
      testing::ExitedWithCode(0), "");
}

TEST(signals_death, a_later_one_ends_a_program_that_takes_no_signal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        catch_stop_signals(60s);
        while (true) take_no_signal();
      },
      testing::ExitedWithCode(128 + SIGTERM), "");
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
