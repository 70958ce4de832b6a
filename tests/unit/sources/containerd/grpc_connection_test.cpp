// Calls to a containerd that speaks real HTTP/2 over a real socket, and misbehaves in one way after the other.
#include "sources/containerd/grpc_connection.hpp"

#include <gmock/gmock.h>

#include <boost/asio/local/stream_protocol.hpp>

#include "tests/support/event_loop.hpp"
#include "tests/support/fake_containerd.hpp"
#include "tests/support/temp_dir.hpp"

namespace containerd {
namespace {

using namespace std::chrono_literals;
using support::answer_fault;
using testing::HasSubstr;

class grpc_connection_test : public testing::Test {
 protected:
  void connect() { connection_.emplace(loop_.executor(), directory_ / "containerd.sock", 10s); }
  void TearDown() override { loop_.stop(); }
  static grpc_request list_namespaces() { return {"/containerd.services.namespaces.v1.Namespaces/List", "", ""}; }
  static grpc_request subscribe() { return {"/containerd.services.events.v1.Events/Subscribe", "", ""}; }
  auto ask(grpc_request request = list_namespaces(), std::chrono::milliseconds deadline = 1h) {
    return loop_.run(connection_->ask(std::move(request), deadline));
  }
  // The message of the call's error.
  std::string failure(const base::result<std::string>& answer) {
    EXPECT_FALSE(answer);
    return answer ? "" : answer.error().message();
  }

  support::temp_dir directory_;
  support::fake_containerd engine_{directory_ / "containerd.sock"};
  support::event_loop loop_;
  std::optional<grpc_connection> connection_;
};

TEST_F(grpc_connection_test, one_connection_carries_call_after_call) {
  engine_.start();
  connect();
  for (int i = 0; i < 300; ++i)
    ASSERT_EQ(ask().value(),
              "\x0a\x09\x0a\x07"
              "default");
}

TEST_F(grpc_connection_test, without_a_socket_every_call_fails_without_a_code) {
  connect();
  for (int i = 0; i < 2; ++i) {
    const auto none = ask();
    ASSERT_FALSE(none);
    EXPECT_FALSE(none.error().code) << "a code would say that the subject of the call is absent";
    EXPECT_THAT(none.error().message(), HasSubstr("No such file"));
  }
  engine_.start();
  EXPECT_FALSE(ask()) << "it stays so";
  connect();
  EXPECT_TRUE(ask()) << "a new one remembers nothing";
}

TEST_F(grpc_connection_test, a_path_that_no_socket_can_have_is_an_error) {
  connection_.emplace(loop_.executor(), directory_ / std::string(200, 'x'), 10s);
  EXPECT_FALSE(ask());
}

// A hundred containers with their labels may need it.
TEST_F(grpc_connection_test, takes_an_answer_of_many_mebibytes) {
  engine_.run("default", "large", {{"nerdctl/ports", std::string(8 << 20, ' ')}});
  engine_.start();
  connect();
  const auto answer = ask({"/containerd.services.containers.v1.Containers/List", "default", ""});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_GT(answer->size(), std::size_t{8 << 20});
}

// The engine's outcome is about its call alone.
TEST_F(grpc_connection_test, a_call_that_fails_leaves_the_connection_as_it_is) {
  const std::pair<answer_fault, std::string> faults[] = {
      {answer_fault::refused, "50% full\\x0alevel=x"},
      {answer_fault::no_status, "the answer ended without a status"},
      {answer_fault::no_message, "an answer without a message"},
      {answer_fault::two_messages, "an answer of more than one message"},
      {answer_fault::half_a_message, "the answer ended within a message"},
      {answer_fault::compressed, "a compressed message, which was not asked for"},
      {answer_fault::endless, "a message of 4294967295 bytes"},
      {answer_fault::http_error, "HTTP status 503"},
      {answer_fault::web_page, "content type \"text/html\""},
      {answer_fault::large_header, "a header of more than 16384 bytes"},
      {answer_fault::reset, "RST_STREAM REFUSED_STREAM"}};
  engine_.start();
  connect();
  const auto other = connection_->start(subscribe());
  ASSERT_TRUE(loop_.run_until([this] { return engine_.subscribers() == 1; }));
  for (const auto& [fault, reason] : faults) {
    engine_.set_fault(fault);
    EXPECT_EQ(failure(ask()), reason);
    engine_.set_fault(answer_fault::none);
    EXPECT_TRUE(ask()) << reason;
  }
  EXPECT_EQ(engine_.subscribers(), 1U);
}

TEST_F(grpc_connection_test, what_ends_the_connection_ends_every_call) {
  const std::pair<answer_fault, std::string> faults[] = {{answer_fault::goes_away, "GOAWAY ENHANCE_YOUR_CALM: enough"},
                                                         {answer_fault::cut, "containerd closed the connection"},
                                                         {answer_fault::other_protocol, ""}};
  engine_.start();
  for (const auto& [fault, reason] : faults) {
    connect();
    engine_.set_hanging(true);
    const auto other = connection_->start(subscribe());
    auto one = connection_->start(list_namespaces());
    loop_.settle();
    engine_.set_fault(fault);
    engine_.set_hanging(false);
    const auto first = loop_.run(one->next());
    ASSERT_FALSE(first);
    EXPECT_THAT(first.error().message(), HasSubstr(reason));
    EXPECT_FALSE(loop_.run(other->next()));
    EXPECT_FALSE(ask()) << "it stays so";
    engine_.set_fault(answer_fault::none);
    connect();
    EXPECT_TRUE(ask());
  }
}

TEST_F(grpc_connection_test, silence_ends_a_call_at_its_deadline_and_not_before) {
  engine_.set_hanging(true);
  engine_.start();
  connect();
  const auto begin = std::chrono::steady_clock::now();
  const auto late = ask(list_namespaces(), 100ms);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 100ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, std::errc::timed_out);
  engine_.set_hanging(false);
  EXPECT_TRUE(ask()) << "a late answer is not mistaken for the next one";
}

// The server has the same deadline, and its reset may be read before the alarm here.
TEST_F(grpc_connection_test, a_call_that_the_server_gives_up_at_its_deadline_has_timed_out_and_before_it_has_not) {
  engine_.start();
  for (const auto passed : {0h, 1h}) {
    connect();
    engine_.set_hanging(true);
    std::optional<base::result<std::string>> answer;
    auto note = [](async::task<base::result<std::string>> call, auto& into) -> async::task<> {
      into = co_await std::move(call);
    };
    loop_.spawn(note(connection_->ask(list_namespaces(), 1h), answer));
    loop_.settle();
    async::clock::advance(passed);
    engine_.set_fault(answer_fault::cancelled);
    engine_.set_hanging(false);
    ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }));
    ASSERT_FALSE(*answer);
    EXPECT_EQ(answer->error().code == std::errc::timed_out, passed == 1h) << answer->error().message();
    engine_.set_fault(answer_fault::none);
  }
}

TEST_F(grpc_connection_test, questions_that_are_sent_together_are_answered_in_any_order) {
  engine_.start();
  connect();
  auto first = connection_->send(list_namespaces(), 1h);
  auto second = connection_->send(list_namespaces(), 1h);
  EXPECT_TRUE(loop_.run(grpc_connection::answer(std::move(second))));
  EXPECT_TRUE(loop_.run(grpc_connection::answer(std::move(first))));
}

TEST_F(grpc_connection_test, a_socket_that_accepts_and_says_nothing_ends_a_call_at_its_deadline) {
  boost::asio::io_context never_run;
  boost::asio::local::stream_protocol::acceptor silent(never_run, (directory_ / "containerd.sock").string());
  connect();
  EXPECT_EQ(ask(list_namespaces(), 50ms).error().code, std::errc::timed_out);
}

TEST_F(grpc_connection_test, a_call_that_is_no_longer_wanted_is_reset) {
  engine_.start();
  connect();
  auto one = connection_->start(subscribe());
  ASSERT_TRUE(loop_.run_until([this] { return engine_.subscribers() == 1; }));
  one.reset();
  EXPECT_TRUE(loop_.run_until([this] { return engine_.subscribers() == 0; }));
  EXPECT_TRUE(ask()) << "the connection stays";
}

TEST_F(grpc_connection_test, a_call_may_outlive_its_connection) {
  engine_.set_hanging(true);
  engine_.start();
  connect();
  const auto one = connection_->start(list_namespaces());
  loop_.settle();
  connection_.reset();
  const auto none = loop_.run(one->next());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message(), "the connection was closed");
}

TEST_F(grpc_connection_test, a_method_that_the_engine_lacks_is_an_error) {
  engine_.start();
  connect();
  EXPECT_EQ(failure(ask({"/containerd.services.later.v1.Later/Do", "", ""})), "status 12");
}

}  // namespace
}  // namespace containerd
