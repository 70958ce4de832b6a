#include "async/blocking_calls.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <boost/system/system_error.hpp>
#include <thread>

#include "base/unique_fd.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/eventually.hpp"

namespace async {
namespace {

using namespace std::chrono_literals;

// Blocks until the other end is closed.
base::result<long> read_from(int fd) {
  char c = 0;
  return ::read(fd, &c, 1);
}

class blocking_calls_test : public testing::Test {
 protected:
  blocking_calls_test() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    read_.reset(ends[0]);
    write_.reset(ends[1]);
  }
  task<base::result<long>> hang(clock::duration limit) {
    const int fd = read_.get();
    auto work = [fd] { return read_from(fd); };
    return calls_.run(work, limit);
  }
  // Lets go what blocks, and waits until nothing does.
  void release() {
    write_.reset();
    auto done = [] { return base::result<int>(1); };
    EXPECT_TRUE(support::eventually(10s, [&] { return loop_.run(calls_.run(done, 10s)).has_value(); }));
  }

  base::unique_fd read_, write_;
  support::event_loop loop_;
  blocking_calls calls_{1};
};

TEST_F(blocking_calls_test, answers_what_the_work_returns) {
  const auto here = std::this_thread::get_id();
  auto work = [here] { return base::result<bool>(std::this_thread::get_id() != here); };
  EXPECT_TRUE(loop_.run(calls_.run(work, 10s)).value());
  auto failing = []() -> base::result<int> { return base::fail(std::errc::io_error, "disk"); };
  EXPECT_EQ(loop_.run(calls_.run(failing, 10s)).error().message(), "disk: Input/output error");
}

TEST_F(blocking_calls_test, what_hangs_is_left_alone_and_bounded) {
  EXPECT_EQ(loop_.run(hang(1ms)).error().code, std::errc::timed_out);
  EXPECT_EQ(loop_.run(hang(10s)).error().code, std::errc::resource_unavailable_try_again);
  release();
}

// A file that hangs costs one thread, and holds up no other.
TEST_F(blocking_calls_test, a_key_that_hangs_is_called_once) {
  blocking_calls calls(2);
  const int fd = read_.get();
  auto hangs = [fd] { return read_from(fd); };
  auto done = [] { return base::result<int>(1); };
  EXPECT_EQ(loop_.run(calls.run(hangs, 1ms, "dead")).error().code, std::errc::timed_out);
  EXPECT_TRUE(calls.left_behind("dead"));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(loop_.run(calls.run(done, 10s, "dead")).error().code, std::errc::timed_out);
  EXPECT_TRUE(loop_.run(calls.run(done, 10s, "alive")));
  EXPECT_EQ(calls.left_behind(), 1U);
  write_.reset();
  EXPECT_TRUE(support::eventually(10s, [&] { return calls.left_behind() == 0; }));
  EXPECT_TRUE(loop_.run(calls.run(done, 10s, "dead")));
}

TEST_F(blocking_calls_test, a_call_that_is_cancelled_is_left_behind_too) {
  auto ignore = [](task<base::result<long>> work) -> task<> { static_cast<void>(co_await std::move(work)); };
  const int fd = read_.get();
  auto hangs = [fd] { return read_from(fd); };
  loop_.spawn(ignore(calls_.run(hangs, 1h, "dead")));
  loop_.settle();
  EXPECT_FALSE(calls_.left_behind("dead")) << "it is waited for";
  loop_.stop();
  EXPECT_TRUE(calls_.left_behind("dead"));
  release();
  EXPECT_FALSE(calls_.left_behind("dead"));
}

TEST_F(blocking_calls_test, without_a_loop_this_thread_waits) {
  const int fd = read_.get();
  EXPECT_EQ(call_within(1ms, [fd] { return read_from(fd); }).error().code, std::errc::timed_out);
  EXPECT_EQ(call_within(10s, [] { return base::result<int>(7); }).value(), 7);
  EXPECT_EQ(call_within(10s, []() -> base::result<int> { return base::fail("disk"); }).error().message(), "disk");
  write_.reset();
}

TEST_F(blocking_calls_test, a_cancelled_caller_does_not_wait) {
  auto until_cancelled = [](task<base::result<long>> work, bool& cancelled) -> task<> {
    try {
      static_cast<void>(co_await std::move(work));
    } catch (const boost::system::system_error&) {
      cancelled = true;
    }
  };
  bool cancelled = false;
  loop_.spawn(until_cancelled(hang(1h), cancelled));
  loop_.settle();
  loop_.stop();
  EXPECT_TRUE(cancelled);
  release();
}

// The thread ends after the loop has gone.
TEST_F(blocking_calls_test, outlives_the_loop) {
  {
    support::event_loop gone;
    EXPECT_EQ(gone.run(hang(1ms)).error().code, std::errc::timed_out);
  }
  release();
}

}  // namespace
}  // namespace async
