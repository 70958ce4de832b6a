#include "async/change_within.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "async/condition.hpp"
#include "tests/support/event_loop.hpp"

namespace async {
namespace {

using namespace std::chrono_literals;

struct watch {
  condition* happened;
  task<> changed() { co_await happened->wait(); }
};

class change_within_test : public testing::Test {
 protected:
  void start() {
    auto follow = [](change_within_test& test) -> task<> {
      co_await change_within(10s, test.watch_);
      test.returned_ = true;
    };
    loop_.spawn(follow(*this));
    loop_.settle();
  }
  void TearDown() override { loop_.stop(); }

  support::event_loop loop_;
  condition happened_{loop_.executor()};
  std::optional<watch> watch_ = watch{&happened_};
  bool returned_ = false;
};

TEST_F(change_within_test, returns_at_a_change) {
  start();
  EXPECT_FALSE(returned_);
  happened_.notify_all();
  EXPECT_TRUE(loop_.run_until([this] { return returned_; }));
}

TEST_F(change_within_test, returns_without_a_change_when_the_time_is_over) {
  for (const bool watched : {true, false}) {
    if (!watched) watch_.reset();
    returned_ = false;
    start();
    loop_.pass_time(9s);
    loop_.settle();
    EXPECT_FALSE(returned_) << watched;
    loop_.pass_time(1s);
    EXPECT_TRUE(loop_.run_until([this] { return returned_; })) << watched;
  }
}

}  // namespace
}  // namespace async
