// The stream against a containerd that speaks the real protocol over a real socket.
#include "sources/containerd/event_stream.hpp"

#include <gmock/gmock.h>

#include <boost/asio/executor_work_guard.hpp>

#include "sources/containerd/channel.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/fake_containerd.hpp"
#include "tests/support/temp_dir.hpp"

namespace containerd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int most_events = 1'024;  // that wait to be taken

// The stream, with the number of steps that gRPC has completed: the start, then one for each event, then the end.
class counted_stream : public event_stream {
 public:
  using event_stream::event_stream;
  void completed(bool ok) override {
    event_stream::completed(ok);
    ++steps;
  }
  int steps = 0;
};

class event_stream_test : public testing::Test {
 protected:
  void TearDown() override {
    loop_.stop();
    stream_->abandon();
  }
  void subscribe() {
    engine_.start();
    stream_->start(stub_, completions_.queue());
    ASSERT_TRUE(loop_.run_until([this] { return engine_.subscribers() > 0; }));
  }
  bool completes(int steps) {
    return loop_.run_until([&] { return stream_->steps >= steps; });
  }
  auto next() { return loop_.run(stream_->next()); }
  // gRPC has the tag of a step.
  bool reads() const { return stream_.use_count() > 1; }

  support::temp_dir directory_;
  support::fake_containerd engine_{directory_ / "containerd.sock"};
  support::event_loop loop_;
  boost::asio::executor_work_guard<async::executor> no_end_{loop_.executor()};  // although no task waits
  services::events::v1::Events::Stub stub_{open_channel(directory_ / "containerd.sock")};
  std::shared_ptr<counted_stream> stream_ = std::make_shared<counted_stream>(loop_.executor());
  completion_thread completions_{loop_.executor()};
};

TEST_F(event_stream_test, hands_out_the_events_since_the_last_call_in_their_order) {
  subscribe();
  engine_.run("a", 8080);
  engine_.end("k8s.io", "b");
  ASSERT_TRUE(completes(3));
  const auto both = next();
  ASSERT_TRUE(both) << both.error().message();
  EXPECT_THAT(both->events, ElementsAre(engine_event{happening::started, "default", "a"},
                                        engine_event{happening::ended, "k8s.io", "b"}));
  EXPECT_FALSE(both->lost);
  engine_.update("default", "a", {});
  EXPECT_THAT(next()->events, ElementsAre(engine_event{happening::updated, "default", "a"})) << "and no event twice";
}

TEST_F(event_stream_test, an_event_of_no_interest_wakes_no_one) {
  subscribe();
  engine_.end_other_process("default", "a");
  engine_.emit("default", "/images/create", "");
  engine_.run("b", 8081);
  EXPECT_THAT(next()->events, ElementsAre(engine_event{happening::started, "default", "b"}));
  EXPECT_EQ(stream_->steps, 3) << "containerd does not even send another topic";
}

TEST_F(event_stream_test, an_unreadable_event_is_reported_once_and_keeps_no_other_away) {
  subscribe();
  engine_.emit("default", "/tasks/start", "\xff\xff\xff");
  const auto damaged = next();
  ASSERT_TRUE(damaged) << damaged.error().message();
  EXPECT_TRUE(damaged->lost);
  EXPECT_TRUE(damaged->events.empty());
  engine_.run("b", 8081);
  const auto after = next();
  EXPECT_FALSE(after->lost);
  EXPECT_EQ(after->events.size(), 1U);
}

TEST_F(event_stream_test, reads_no_more_while_many_events_wait_to_be_taken) {
  subscribe();
  for (int i = 0; i < most_events + 10; ++i) engine_.end("default", "c" + std::to_string(i));
  ASSERT_TRUE(completes(most_events));
  EXPECT_TRUE(reads()) << "there is room for one more";
  ASSERT_TRUE(completes(1 + most_events));
  EXPECT_FALSE(reads());
  const auto first = next();
  EXPECT_EQ(first->events.size(), static_cast<std::size_t>(most_events));
  EXPECT_TRUE(reads()) << "they were taken";
  ASSERT_TRUE(completes(1 + most_events + 10));
  const auto rest = next();
  ASSERT_EQ(rest->events.size(), 10U);
  EXPECT_EQ(rest->events[0].container_id, "c" + std::to_string(most_events)) << "none is lost";
}

TEST_F(event_stream_test, its_end_comes_after_the_events_that_were_not_taken) {
  subscribe();
  engine_.run("a", 8080);
  ASSERT_TRUE(completes(2));
  engine_.stop();
  ASSERT_TRUE(loop_.run_until([this] { return !reads(); }));
  EXPECT_EQ(next()->events.size(), 1U);
  EXPECT_FALSE(next());
  EXPECT_FALSE(next()) << "it stays so";
}

TEST_F(event_stream_test, its_end_wakes_the_task_that_waits) {
  subscribe();
  bool ended = false;
  auto wait = [](std::shared_ptr<event_stream> stream, bool& flag) -> async::task<> {
    flag = !(co_await stream->next());
  };
  loop_.spawn(wait(stream_, ended));
  loop_.settle();
  ASSERT_FALSE(ended);
  engine_.stop();
  EXPECT_TRUE(loop_.run_until([&] { return ended; }));
}

TEST_F(event_stream_test, without_an_engine_it_ends_with_the_reason) {
  stream_->start(stub_, completions_.queue());
  const auto none = next();
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message(), HasSubstr("events: "));
}

TEST_F(event_stream_test, no_step_begins_after_it_was_abandoned) {
  subscribe();
  engine_.run("a", 8080);
  stream_->abandon();
  ASSERT_TRUE(loop_.run_until([this] { return !reads(); }));
  EXPECT_LE(stream_->steps, 2) << "the start, perhaps, and the read that was under way";
}

}  // namespace
}  // namespace containerd
