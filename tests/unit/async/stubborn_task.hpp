// stubborn_task: what a test needs to see that an owner waits for a task that ignores its cancellation.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "async/task_group.hpp"
#include "tests/support/event_loop.hpp"

namespace async {

using ends = std::vector<std::string>;  // in their order

inline task<> stubborn_task(const bool& let_go, ends& ended) {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  while (!let_go) co_await sleep_for(std::chrono::milliseconds(1));
  ended.emplace_back("task");
}

// In the frame of the owner.
struct note_owners_end {
  ends& ended;
  ~note_owners_end() { ended.emplace_back("owner"); }
};

// `own(let_go, ended)`: an owner that has a note_owners_end and a stubborn_task. It is cancelled, and waits.
inline void expect_owner_waits(task<> (*own)(const bool& let_go, ends& ended)) {
  using namespace std::chrono_literals;
  support::event_loop loop;
  bool let_go = false;
  ends ended;
  task_group group(loop.executor());
  group.spawn("owner", own(let_go, ended));
  loop.run_until([] { return false; }, 5ms);
  EXPECT_FALSE(loop.run(group.stop(clock::now() + 10ms)));
  EXPECT_TRUE(ended.empty());
  let_go = true;
  EXPECT_TRUE(loop.run(group.stop(clock::now() + 5s)));
  EXPECT_EQ(ended, (ends{"task", "owner"}));
}

}  // namespace async
