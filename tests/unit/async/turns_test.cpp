#include "async/turns.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "tests/support/event_loop.hpp"

namespace async {
namespace {

using namespace std::chrono_literals;

task<> work(turns& all, std::string name, std::string& log) {
  const auto mine = co_await all.take();
  log += name + "(";
  for (int i = 0; i < 3; ++i) co_await yield();
  log += ")";
}

TEST(turns, are_taken_one_at_a_time) {
  support::event_loop loop;
  turns all(loop.executor());
  std::string log;
  for (const auto* name : {"a", "b", "c"}) loop.spawn(work(all, name, log));
  EXPECT_TRUE(loop.run_until([&] { return log.size() == 9; })) << log;
  for (const auto* name : {"a()", "b()", "c()"}) EXPECT_NE(log.find(name), std::string::npos) << log;
}

task<> take_once(turns& all) { static_cast<void>(co_await all.take()); }

task<> give_up(turns& all, bool& gave_up) {
  const auto taken = co_await within(10ms, take_once(all));
  gave_up = !taken;
}

TEST(turns, a_task_that_gives_up_takes_none) {
  support::event_loop loop;
  turns all(loop.executor());
  std::optional<turns::turn> held(std::in_place, all);
  bool gave_up = false;
  std::string log;
  loop.spawn(give_up(all, gave_up));
  EXPECT_TRUE(loop.run_until([&] { return gave_up; }));
  held.reset();
  loop.spawn(work(all, "a", log));
  EXPECT_TRUE(loop.run_until([&] { return log == "a()"; })) << log;
}

}  // namespace
}  // namespace async
