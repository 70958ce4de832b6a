#include "async/task_group.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/event_loop.hpp"
#include "tests/unit/async/stubborn_task.hpp"

namespace async {
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
  ends ended;
  group.spawn("stubborn", stubborn_task(let_go, ended));
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

task<> own_what_others_use(const bool& let_go, ends& ended) {
  const note_owners_end owner{ended};
  task_group mine(co_await asio::this_coro::executor);
  mine.spawn("stubborn", stubborn_task(let_go, ended));
  co_await mine.run_beside(end_at_once());
  ended.emplace_back("not reached: the owner was cancelled");
}

TEST(task_group, an_owner_that_is_cancelled_while_it_shuts_down_still_waits_for_its_tasks) {
  expect_owner_waits(own_what_others_use);
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

task<> wait_for(condition& c) { co_await c.wait(); }

task<> note_begin(bool& begun) {
  begun = true;
  co_return;
}

TEST(task_group, a_task_cancelled_before_it_began_never_begins) {
  support::event_loop loop;
  bool begun = false;
  {
    task_group group(loop.executor());
    group.spawn("dropped", note_begin(begun));
  }
  loop.run_until([] { return false; }, 5ms);
  EXPECT_FALSE(begun);
}

task<> cancel_oneself(std::unique_ptr<task_group>& own) {
  own.reset();
  co_return;
}

TEST(task_group, a_task_that_cancels_its_own_group_ends_in_order) {
  support::event_loop loop;
  auto group = std::make_unique<task_group>(loop.executor());
  group->spawn("last act", cancel_oneself(group));
  EXPECT_TRUE(loop.run_until([&] { return group == nullptr; }));
  loop.run_until([] { return false; }, 5ms);
}

// The end of a task and its cancellation from outside the loop may wait for the same turn.
TEST(task_group, a_group_may_go_while_the_end_of_a_task_is_under_way) {
  support::event_loop loop;
  condition go(loop.executor());
  {
    task_group group(loop.executor());
    group.spawn("one", wait_for(go));
    loop.run_until([] { return false; }, 5ms);
    go.notify_all();
  }
  loop.run_until([] { return false; }, 5ms);
}

task<> start_another_at_the_end(task_group& group, std::vector<std::string>& ended) {
  try {
    co_await sleep_for(1h);
  } catch (const boost::system::system_error&) {
    group.spawn("late", hang(ended, "late"));
  }
}

// One that ends and one that begins in the same turn leave the number of tasks as it was.
TEST(task_group, what_is_started_while_it_stops_is_stopped) {
  support::event_loop loop;
  task_group group(loop.executor());
  std::vector<std::string> ended;
  group.spawn("first", hang(ended, "first"));
  group.spawn("starter", start_another_at_the_end(group, ended));
  loop.run_until([] { return false; }, 5ms);
  EXPECT_TRUE(loop.run(group.stop(clock::now() + 5s)));
  EXPECT_EQ(ended, (std::vector<std::string>{"late", "first"}));
}

task<> spawn_and_look(task_group& group, bool& begun_at_once) {
  bool begun = false;
  auto begin = [](bool& flag) -> task<> {
    flag = true;
    co_return;
  };
  group.spawn("inner", begin(begun));
  begun_at_once = begun;
  co_await group.join();
}

TEST(task_group, a_task_begins_at_once_where_a_task_spawns_it) {
  support::event_loop loop;
  task_group group(loop.executor());
  bool begun_at_once = false;
  loop.spawn(spawn_and_look(group, begun_at_once));
  EXPECT_FALSE(begun_at_once);
  EXPECT_TRUE(loop.run_until([&] { return begun_at_once; }));
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
}  // namespace async
