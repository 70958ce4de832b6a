// The bridge with gRPC's own alarms as operations: they need no server and end when a test says so.
#include "sources/containerd/completion_thread.hpp"

#include <grpcpp/alarm.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <vector>

#include "tests/support/event_loop.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;

struct outcome {
  bool ok = false;
  std::thread::id where;
};

// An alarm; it records its outcome beside itself, as it may be gone by then.
class alarm_operation : public operation {
 public:
  explicit alarm_operation(std::vector<outcome>& into) : into_(into) {}
  void completed(bool ok) override { into_.push_back({ok, std::this_thread::get_id()}); }
  static void set(const std::shared_ptr<alarm_operation>& o, grpc::CompletionQueue& queue, std::chrono::seconds in) {
    o->alarm_.Set(&queue, std::chrono::system_clock::now() + in, tag(o));
  }
  void cancel() { alarm_.Cancel(); }

 private:
  std::vector<outcome>& into_;
  grpc::Alarm alarm_;
};

class completion_thread_test : public testing::Test {
 protected:
  std::weak_ptr<alarm_operation> begin(std::chrono::seconds in) {
    auto made = std::make_shared<alarm_operation>(outcomes_);
    alarm_operation::set(made, completions_->queue(), in);
    return made;
  }
  bool ended(std::size_t count) {
    return loop_.run_until([&] { return outcomes_.size() >= count; });
  }

  std::vector<outcome> outcomes_;
  support::event_loop loop_;
  boost::asio::executor_work_guard<async::executor> no_end_{loop_.executor()};  // although no task waits
  std::optional<completion_thread> completions_{std::in_place, loop_.executor()};
};

TEST_F(completion_thread_test, an_operation_completes_on_the_control_thread) {
  begin(0s);
  ASSERT_TRUE(ended(1));
  EXPECT_TRUE(outcomes_[0].ok);
  EXPECT_EQ(outcomes_[0].where, std::this_thread::get_id());
}

TEST_F(completion_thread_test, an_operation_that_was_cancelled_completes_as_failed) {
  const auto one = begin(3600s);
  one.lock()->cancel();
  ASSERT_TRUE(ended(1));
  EXPECT_FALSE(outcomes_[0].ok);
}

// gRPC writes into it until then.
TEST_F(completion_thread_test, an_operation_lives_exactly_as_long_as_grpc_has_its_tag) {
  const auto one = begin(3600s);
  ASSERT_FALSE(one.expired()) << "no one else holds it";
  one.lock()->cancel();
  ASSERT_TRUE(ended(1));
  EXPECT_TRUE(one.expired());
}

TEST_F(completion_thread_test, an_operation_takes_a_step_after_a_step) {
  const auto again = std::make_shared<alarm_operation>(outcomes_);
  for (std::size_t step = 1; step <= 3; ++step) {
    alarm_operation::set(again, completions_->queue(), 0s);
    ASSERT_TRUE(ended(step));
    EXPECT_TRUE(outcomes_.back().ok) << step;
    EXPECT_EQ(again.use_count(), 1) << "gRPC has returned it";
  }
}

TEST_F(completion_thread_test, its_end_waits_for_every_tag_and_the_loop_still_gets_the_outcomes) {
  std::vector<std::weak_ptr<alarm_operation>> all;
  for (int i = 0; i < 20; ++i) all.push_back(begin(3600s));
  for (const auto& one : all) one.lock()->cancel();
  completions_.reset();
  EXPECT_TRUE(outcomes_.empty()) << "they complete on the control thread only";
  ASSERT_TRUE(ended(20));
  for (const auto& one : all) EXPECT_TRUE(one.expired());
}

TEST_F(completion_thread_test, an_operation_that_outlives_the_loop_goes_without_completing) {
  std::weak_ptr<alarm_operation> one;
  {
    boost::asio::io_context short_lived{1};
    completion_thread completions(short_lived.get_executor());
    const auto made = std::make_shared<alarm_operation>(outcomes_);
    alarm_operation::set(made, completions.queue(), 3600s);
    made->cancel();
    one = made;
  }
  EXPECT_TRUE(one.expired()) << "the loop's queue goes with it";
  EXPECT_TRUE(outcomes_.empty());
}

}  // namespace
}  // namespace containerd
