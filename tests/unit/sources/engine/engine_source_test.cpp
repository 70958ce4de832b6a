// The failures of engine_source, with an engine that follows the test's script.
#include "sources/engine/engine_source.hpp"

#include <gmock/gmock.h>

#include <memory>

#include "tests/support/event_loop.hpp"
#include "tests/support/recording_feed.hpp"
#include "tests/support/temp_dir.hpp"

namespace engine {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

container running(const std::string& id, std::uint16_t port) {
  return {id, "name", {{net::protocol::tcp, net::address::any_v4(), port, 80, id, "name"}}, {}};
}

// Each of the five methods answers from a variable.
class scripted_engine : public engine_source {
 public:
  scripted_engine(const async::executor& where, engine_options options)
      : engine_source(where, ports::source_id::docker, std::move(options)), happened_(where) {}

  std::optional<base::error> connect_error, list_error, ask_error;
  container_list containers;
  bool acknowledges = true, holds_answers = false;
  unsigned connects = 0, lists = 0, questions = 0, disconnects = 0, under_way = 0, under_way_at_disconnect = 0;

  void end_events(std::string why) {
    end_ = base::error{{}, std::move(why)};
    happened_.notify_all();
  }
  void report_change(const std::string& id) {
    events_read();
    ask_about(id);
    flush();
  }
  // All of them are one batch.
  void report_changes(const std::vector<std::string>& ids) {
    for (const auto& id : ids) ask_about(id);
    flush();
  }
  void release_answers() {
    holds_answers = false;
    happened_.notify_all();
  }
  void report_loss() { list_soon(); }

 private:
  struct counted {
    explicit counted(unsigned& n) : n_(n) { ++n_; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --n_; }
    unsigned& n_;
  };
  async::task<base::result<>> open_connection() override {
    ++connects;
    end_.reset();
    if (connect_error) co_return std::unexpected(*connect_error);
    co_return base::result<>{};
  }
  async::task<base::error> read_events() override {
    const counted one(under_way);
    if (acknowledges) subscribed();
    while (!end_) co_await happened_.wait();
    co_return *end_;
  }
  async::task<base::result<container_list>> list() override {
    const counted one(under_way);
    ++lists;
    if (list_error) co_return std::unexpected(*list_error);
    co_return containers;
  }
  async::task<base::result<std::optional<container>>> ask(const std::string& id, unsigned /*slot*/) override {
    const counted one(under_way);
    ++questions;
    while (holds_answers) co_await happened_.wait();
    if (ask_error) co_return std::unexpected(*ask_error);
    for (const auto& c : containers.running)
      if (c.id == id) co_return std::optional(c);
    co_return std::optional<container>();
  }
  void disconnect() override {
    ++disconnects;
    under_way_at_disconnect += under_way;
  }

  async::condition happened_;
  std::optional<base::error> end_;
};

class engine_source_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  scripted_engine& start(engine_options options = {}) {
    engine_ = std::make_unique<scripted_engine>(loop_.executor(), std::move(options));
    engine_->containers.running = {running("a", 8080)};
    return *engine_;
  }
  void run() { loop_.spawn(engine_->run(feed_)); }
  [[nodiscard]] bool publishes(const std::set<std::uint16_t>& ports) {
    return loop_.run_until([&] { return feed_.host_ports() == ports; });
  }
  [[nodiscard]] bool troubled(const std::string& why) {
    return loop_.run_until([&] { return feed_.trouble && feed_.trouble->message() == why; });
  }

  support::event_loop loop_;
  support::recording_feed feed_;
  std::unique_ptr<scripted_engine> engine_;
};

TEST_F(engine_source_test, a_connection_that_fails_is_reported_and_tried_again) {
  auto& engine = start();
  engine.connect_error = base::error{{}, "not there"};
  run();
  ASSERT_TRUE(troubled("not there"));
  EXPECT_EQ(feed_.last, std::nullopt) << "unknown is not an empty list";
  EXPECT_EQ(engine.disconnects, 0U);
  engine.connect_error.reset();
  EXPECT_TRUE(publishes({8080}));
  EXPECT_EQ(feed_.last->epoch, 1U);
}

// One slot wakes up for a batch, and wakes the others.
TEST_F(engine_source_test, the_questions_of_one_batch_are_asked_at_the_same_time) {
  auto& engine = start({.questions = 3});
  run();
  ASSERT_TRUE(publishes({8080}));
  engine.holds_answers = true;
  for (const auto* id : {"b", "c", "d", "e"}) engine.containers.running.push_back(running(id, 8081));
  engine.report_changes({"b", "c", "d", "e"});
  EXPECT_TRUE(loop_.run_until([&] { return engine.questions == 3; }));
  loop_.settle();
  EXPECT_EQ(engine.questions, 3U);
  engine.release_answers();
  EXPECT_TRUE(loop_.run_until([&] { return feed_.last->bindings.size() == 5; }));
  EXPECT_EQ(engine.questions, 4U);
}

TEST_F(engine_source_test, a_trace_learns_of_the_event_the_question_and_the_answer) {
  const auto trace = std::make_shared<ports::change_trace>();
  auto& engine = start({.trace = trace});
  run();
  ASSERT_TRUE(publishes({8080}));
  engine.containers.running.push_back(running("b", 8081));
  engine.report_change("b");
  ASSERT_TRUE(publishes({8080, 8081}));
  const auto b = running("b", 8081).bindings;
  const auto now = async::clock::now();
  trace->published(ports::source_id::docker, {}, b, now);
  const ports::operation add{ports::verb::add, {.key = ports::host_key(b[0])}};
  const auto line = trace->finished("host-switch", add, {}, now).value();
  for (const auto* step : {"parse_us=", "queue_us=", "engine_us=", "publish_us="}) EXPECT_THAT(line, HasSubstr(step));
}

TEST_F(engine_source_test, a_list_that_fails_ends_the_connection) {
  auto& engine = start();
  engine.list_error = base::error{{}, "no list"};
  run();
  ASSERT_TRUE(troubled("no list"));
  EXPECT_EQ(feed_.last, std::nullopt);
  EXPECT_EQ(engine.disconnects, engine.connects);
  engine.list_error.reset();
  EXPECT_TRUE(publishes({8080}));
}

TEST_F(engine_source_test, the_end_of_the_events_keeps_the_ports_and_lists_anew) {
  auto& engine = start();
  run();
  ASSERT_TRUE(publishes({8080}));
  engine.containers.running = {running("b", 8081)};
  engine.end_events("the engine has gone");
  ASSERT_TRUE(troubled("the engine has gone"));
  EXPECT_EQ(feed_.host_ports(), std::set<std::uint16_t>{8080}) << "the last ports stay until the next list";
  EXPECT_TRUE(publishes({8081}));
  EXPECT_EQ(feed_.last->epoch, 2U);
}

TEST_F(engine_source_test, tasks_have_ended_before_the_connection_is_closed) {
  auto& engine = start();
  run();
  ASSERT_TRUE(publishes({8080}));
  engine.end_events("gone");
  ASSERT_TRUE(loop_.run_until([&] { return engine.disconnects == 1; }));
  EXPECT_EQ(engine.under_way_at_disconnect, 0U);
}

TEST_F(engine_source_test, a_question_that_fails_otherwise_ends_the_connection) {
  auto& engine = start();
  run();
  ASSERT_TRUE(publishes({8080}));
  engine.ask_error = base::error{std::make_error_code(std::errc::connection_reset), "ask"};
  engine.report_change("b");
  ASSERT_TRUE(loop_.run_until([&] { return feed_.trouble.has_value(); }));
  EXPECT_EQ(feed_.trouble->code, std::errc::connection_reset);
  EXPECT_TRUE(loop_.run_until([&] { return engine.connects == 2; }));
}

TEST_F(engine_source_test, a_question_without_an_answer_is_shown_and_asked_again) {
  auto& engine = start();
  run();
  ASSERT_TRUE(publishes({8080}));
  engine.ask_error = base::error{std::make_error_code(std::errc::resource_unavailable_try_again), "locked"};
  engine.report_change("b");
  ASSERT_TRUE(loop_.run_until([&] { return !feed_.last->refusals.empty(); }));
  EXPECT_THAT(feed_.last->refusals, ElementsAre(Field(&ports::refusal::why, HasSubstr("locked"))));
  EXPECT_EQ(feed_.troubles, 0U);
  engine.ask_error.reset();
  engine.containers.running.push_back(running("b", 8081));
  loop_.pass_time(1s);
  EXPECT_TRUE(publishes({8080, 8081}));
  EXPECT_TRUE(feed_.last->refusals.empty());
  EXPECT_EQ(engine.connects, 1U);
}

TEST_F(engine_source_test, an_engine_that_does_not_acknowledge_the_subscription_is_listed_and_soon_again) {
  auto& engine = start({.first_list = 10ms, .second_list = 1h});
  engine.acknowledges = false;
  run();
  ASSERT_TRUE(publishes({8080}));
  engine.containers.running = {running("b", 8081)};
  loop_.pass_time(31s);
  EXPECT_TRUE(publishes({8081})) << "not after an hour";
}

TEST_F(engine_source_test, lost_events_lead_to_a_list_within_a_second) {
  auto& engine = start({.second_list = 1h});
  run();
  ASSERT_TRUE(publishes({8080}));
  engine.containers.running = {running("b", 8081)};
  engine.report_loss();
  loop_.pass_time(1s);
  EXPECT_TRUE(publishes({8081}));
  EXPECT_EQ(engine.lists, 2U);
}

TEST_F(engine_source_test, an_engine_that_does_not_answer_may_have_started_the_stopped_containers) {
  const auto stopped = std::make_shared<stopped_containers>(loop_.executor());
  auto& engine = start({.stopped = stopped, .stopped_kept = 30s});
  engine.containers.stopped = {"default/b"};
  run();
  ASSERT_TRUE(loop_.run_until([&] { return stopped->contains("default-b"); }));
  engine.connect_error = base::error{{}, "silent"};
  engine.end_events("gone");
  ASSERT_TRUE(troubled("silent"));
  EXPECT_TRUE(stopped->contains("default-b")) << "for half a minute";
  loop_.pass_time(31s);
  EXPECT_TRUE(loop_.run_until([&] { return stopped->empty(); }));
}

TEST_F(engine_source_test, an_engine_whose_socket_is_gone_starts_no_stopped_container) {
  const support::temp_dir directory;
  const auto stopped = std::make_shared<stopped_containers>(loop_.executor());
  auto& engine = start({.socket = directory / "engine.sock", .stopped = stopped, .stopped_kept = 30s});
  engine.containers.stopped = {"default/b"};
  run();
  ASSERT_TRUE(loop_.run_until([&] { return stopped->contains("default-b"); }));
  engine.connect_error = base::error{{}, "not there"};
  engine.end_events("gone");
  ASSERT_TRUE(troubled("gone"));
  for (int i = 0; i < 3; ++i) loop_.pass_time(31s);
  ASSERT_TRUE(troubled("not there"));
  EXPECT_TRUE(stopped->contains("default-b"));
}

}  // namespace
}  // namespace engine
