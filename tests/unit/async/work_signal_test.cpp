#include "async/work_signal.hpp"

#include <gmock/gmock.h>

#include <vector>

#include "tests/support/event_loop.hpp"

namespace async {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

task<> note_wake_up(work_signal& signal, clock::time_point when, int worker, std::vector<int>& woken) {
  co_await signal.wait_until(when);
  woken.push_back(worker);
}

class work_signal_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  void start(int worker, clock::time_point when = clock::time_point::max()) {
    loop_.spawn(note_wake_up(signal_, when, worker, woken_));
    loop_.settle();
  }

  support::event_loop loop_;
  work_signal signal_{loop_.executor()};
  std::vector<int> woken_;
};

TEST_F(work_signal_test, wakes_one_worker_the_one_that_has_waited_longest) {
  for (int worker = 0; worker < 3; ++worker) start(worker);
  signal_.notify_one();
  loop_.settle();
  EXPECT_THAT(woken_, ElementsAre(0));
  signal_.notify_one();
  signal_.notify_one();
  loop_.settle();
  EXPECT_THAT(woken_, ElementsAre(0, 1, 2));
}

TEST_F(work_signal_test, remembers_nothing_for_later_workers) {
  signal_.notify_one();
  start(0);
  EXPECT_TRUE(woken_.empty());
}

TEST_F(work_signal_test, a_worker_waits_no_longer_than_it_asked) {
  start(0, clock::now() + 10min);
  start(1, clock::now() + 30min);
  loop_.pass_time(11min);
  EXPECT_TRUE(loop_.run_until([this] { return !woken_.empty(); }));
  EXPECT_THAT(woken_, ElementsAre(0));
}

TEST_F(work_signal_test, a_worker_that_was_cancelled_takes_no_notification) {
  task_group first(loop_.executor());
  first.spawn("worker", note_wake_up(signal_, clock::time_point::max(), 0, woken_));
  start(1);
  auto end = [](task_group& tasks) -> task<bool> { co_return co_await tasks.stop(clock::time_point::max()); };
  EXPECT_TRUE(loop_.run(end(first)));
  signal_.notify_one();
  loop_.settle();
  EXPECT_THAT(woken_, ElementsAre(1));
}

}  // namespace
}  // namespace async
