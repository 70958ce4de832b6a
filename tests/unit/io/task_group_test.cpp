#include "io/task_group.hpp"

#include <gtest/gtest.h>

#include "tests/support/event_loop.hpp"

namespace io {
namespace {

using namespace std::chrono_literals;

task<> hang(std::vector<std::string>& ended, std::string name) {
  std::exception_ptr thrown;
  try {
    co_await sleep_for(1h);
  } catch (...) {
    thrown = std::current_exception();
  }
  ended.push_back(name);
  if (thrown) std::rethrow_exception(thrown);
}

task<> end_at_once() { co_return; }

task<> refuse_to_end(bool& let_go) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  while (!let_go) co_await sleep_for(1ms);
}

task<> fail() {
  co_await sleep_for(1ms);
  throw std::logic_error("invariant");
}

TEST(task_group, stops_the_last_started_first) {
  support::event_loop loop;
  task_group group(loop.executor());
  std::vector<std::string> ended;
  for (const auto* name : {"first", "second", "third"}) group.spawn(name, hang(ended, name));
  loop.run_until([] { return false; }, 10ms);
  EXPECT_EQ(group.size(), 3U);
  EXPECT_TRUE(loop.run(group.stop(clock::now() + 5s)));
  EXPECT_EQ(ended, (std::vector<std::string>{"third", "second", "first"}));
}

TEST(task_group, says_when_a_task_did_not_end_in_time) {
  support::event_loop loop;
  task_group group(loop.executor());
  bool let_go = false;
  group.spawn("stubborn", refuse_to_end(let_go));
  loop.run_until([] { return false; }, 5ms);
  EXPECT_FALSE(loop.run(group.stop(clock::now() + 10ms)));
  let_go = true;
  EXPECT_TRUE(loop.run(group.stop(clock::now() + 5s)));
}

task<bool> join(task_group& group) {
  co_await group.join();
  co_return true;
}

TEST(task_group, join_returns_when_all_have_ended) {
  support::event_loop loop;
  task_group group(loop.executor());
  for (int i = 0; i < 3; ++i) group.spawn("short", end_at_once());
  EXPECT_TRUE(loop.run(join(group)));
  EXPECT_EQ(group.size(), 0U);
}

task<> own_a_group(std::vector<std::string>& ended) {
  task_group mine(co_await asio::this_coro::executor);
  mine.spawn("inner", hang(ended, "inner"));
  std::exception_ptr thrown;
  try {
    co_await mine.join_or_stop();
  } catch (...) {
    thrown = std::current_exception();
  }
  ended.emplace_back("outer");
  if (thrown) std::rethrow_exception(thrown);
}

TEST(task_group, an_owner_that_is_cancelled_ends_after_its_tasks) {
  support::event_loop loop;
  std::vector<std::string> ended;
  loop.spawn(own_a_group(ended));
  loop.run_until([] { return false; }, 10ms);
  loop.stop();
  EXPECT_EQ(ended, (std::vector<std::string>{"inner", "outer"}));
}

TEST(task_group, a_group_that_goes_cancels_what_runs) {
  support::event_loop loop;
  std::vector<std::string> ended;
  {
    task_group group(loop.executor());
    group.spawn("one", hang(ended, "one"));
    loop.run_until([] { return false; }, 5ms);
  }
  EXPECT_TRUE(loop.run_until([&] { return ended.size() == 1; }));
}

TEST(task_group_death, an_exception_that_leaves_a_task_aborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        support::event_loop loop;
        loop.spawn(fail());
        loop.run_until([] { return false; }, 1s);
      },
      "invariant");
}

}  // namespace
}  // namespace io
