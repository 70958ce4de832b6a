#include "async/first_of.hpp"

#include <gtest/gtest.h>

#include "async/timeout.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/unit/async/stubborn_task.hpp"

namespace async {
namespace {

using namespace std::chrono_literals;

task<> end_at_once() { co_return; }
task<> end_soon() { co_await sleep_for(5ms); }
task<> hang(bool& cancelled) {
  try {
    co_await sleep_for(1h);
  } catch (...) {
    cancelled = true;
    throw;
  }
}
task<bool> first(task<> a, task<> b) {
  co_await first_of(std::move(a), std::move(b));
  co_return true;
}

TEST(first_of, ends_with_either_and_cancels_the_other) {
  support::event_loop loop;
  bool cancelled = false;
  EXPECT_TRUE(loop.run(first(end_soon(), hang(cancelled))));
  EXPECT_TRUE(cancelled);
  cancelled = false;
  EXPECT_TRUE(loop.run(first(hang(cancelled), end_soon())));
  EXPECT_TRUE(cancelled);
  EXPECT_TRUE(loop.run(first(end_at_once(), end_at_once())));
}

task<base::result<int>> race(bool& a, bool& b) {
  co_await first_of(hang(a), hang(b));
  co_return 0;
}

TEST(first_of, passes_a_cancellation_on_to_both) {
  support::event_loop loop;
  bool a = false, b = false;
  EXPECT_FALSE(loop.run(within(5ms, race(a, b))));
  EXPECT_TRUE(a);
  EXPECT_TRUE(b);
}

task<> race_then_note(const bool& let_go, ends& ended) {
  const note_owners_end owner{ended};
  co_await first_of(stubborn_task(let_go, ended), end_at_once());
}

TEST(first_of, a_cancellation_does_not_cut_the_wait_for_the_other_short) { expect_owner_waits(race_then_note); }

}  // namespace
}  // namespace async
