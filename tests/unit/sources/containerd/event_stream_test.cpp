// The stream against a containerd that speaks the real protocol over a real socket.
#include "sources/containerd/event_stream.hpp"

#include <gmock/gmock.h>

#include "tests/support/event_loop.hpp"
#include "tests/support/fake_containerd.hpp"
#include "tests/support/temp_dir.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr std::size_t most_events = 1'024;  // of one batch

class event_stream_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  void subscribe() {
    engine_.start();
    stream_.emplace(connection_);
    ASSERT_TRUE(loop_.run_until([this] { return engine_.subscribers() > 0; }));
  }
  auto next() { return loop_.run(stream_->next()); }

  support::temp_dir directory_;
  support::fake_containerd engine_{directory_ / "containerd.sock"};
  support::event_loop loop_;
  grpc_connection connection_{loop_.executor(), directory_ / "containerd.sock", 10s};
  std::optional<event_stream> stream_;
};

TEST_F(event_stream_test, hands_out_events_in_their_order_and_none_twice) {
  subscribe();
  engine_.run("a", 8080);
  EXPECT_THAT(next()->events, ElementsAre(engine_event{happening::started, "default", "a"}));
  engine_.end("k8s.io", "b");
  engine_.update("default", "a", {});
  std::vector<engine_event> both;
  while (both.size() < 2)
    for (const auto& e : next()->events) both.push_back(e);
  EXPECT_THAT(both, ElementsAre(engine_event{happening::ended, "k8s.io", "b"},
                                engine_event{happening::updated, "default", "a"}));
}

TEST_F(event_stream_test, an_event_of_no_interest_wakes_no_one) {
  subscribe();
  engine_.end_other_process("default", "a");
  engine_.emit("default", "/images/create", "");
  engine_.run("b", 8081);
  EXPECT_THAT(next()->events, ElementsAre(engine_event{happening::started, "default", "b"}));
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

// They wait at containerd, and all of them come.
TEST_F(event_stream_test, many_events_that_were_not_taken_lose_none) {
  constexpr std::size_t many = 20'000;
  subscribe();
  for (std::size_t i = 0; i < many; ++i)
    engine_.emit("default", "/tasks/start", "\x0a\x06" + std::to_string(100'000 + i));
  loop_.settle();
  std::vector<engine_event> all;
  while (all.size() < many) {
    const auto some = next();
    ASSERT_TRUE(some) << some.error().message();
    ASSERT_LE(some->events.size(), most_events);
    all.insert(all.end(), some->events.begin(), some->events.end());
  }
  for (std::size_t i = 0; i < many; ++i) ASSERT_EQ(all[i].container_id, std::to_string(100'000 + i));
}

TEST_F(event_stream_test, its_end_comes_after_the_events_that_were_not_taken) {
  subscribe();
  engine_.run("a", 8080);
  EXPECT_EQ(next()->events.size(), 1U);
  engine_.run("b", 8081);
  engine_.stop();
  ASSERT_TRUE(loop_.run_until([this] { return !loop_.run(connection_.ask({"/", "", ""}, 10s)); }));
  auto rest = next();
  if (rest) {  // it had left the engine before the end
    EXPECT_THAT(rest->events, ElementsAre(engine_event{happening::started, "default", "b"}));
    rest = next();
  }
  EXPECT_FALSE(rest);
  EXPECT_FALSE(next()) << "it stays so";
}

TEST_F(event_stream_test, its_end_wakes_the_task_that_waits) {
  subscribe();
  bool ended = false;
  auto wait = [](event_stream& stream, bool& flag) -> async::task<> { flag = !(co_await stream.next()); };
  loop_.spawn(wait(*stream_, ended));
  loop_.settle();
  ASSERT_FALSE(ended);
  engine_.stop();
  EXPECT_TRUE(loop_.run_until([&] { return ended; }));
}

TEST_F(event_stream_test, without_an_engine_it_ends_with_the_reason) {
  stream_.emplace(connection_);
  const auto none = next();
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message(), HasSubstr("events: connect "));
  EXPECT_FALSE(none.error().code);
}

TEST_F(event_stream_test, its_destruction_ends_the_subscription_and_not_the_connection) {
  subscribe();
  stream_.reset();
  ASSERT_TRUE(loop_.run_until([this] { return engine_.subscribers() == 0; }));
  stream_.emplace(connection_);
  EXPECT_TRUE(loop_.run_until([this] { return engine_.subscribers() == 1; }));
}

TEST_F(event_stream_test, an_end_in_good_order_is_an_end) {
  engine_.set_fault(support::answer_fault::no_message);
  engine_.start();
  stream_.emplace(connection_);
  const auto none = next();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message(), "containerd closed the event stream");
}

}  // namespace
}  // namespace containerd
