// One connection alone. message_server_test has several of them, their order and their limits.
#include "programs/port_proxy/message_connection.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <array>
#include <optional>

#include "protocols/port_mapping/message_codec.hpp"
#include "tests/support/event_loop.hpp"

namespace port_proxy {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr caller sender{.pid = 4'711, .started = 42};

std::string text_of(std::uint16_t port) {
  return port_mapping::encode(
      {.remove = false, .bindings = {{net::protocol::tcp, 80, {{}, port}}}, .connect_addresses = {}});
}

class message_connection_test : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    client_.reset(ends[0]);
    connection_.emplace(loop_.executor(), base::unique_fd(ends[1]), 7, sender);
  }
  void write(std::string_view text) const {
    ASSERT_EQ(::send(client_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Drains, and returns what is logged.
  std::string drain() {
    testing::internal::CaptureStderr();
    connection_->drain(
        [this](const port_mapping::message& m, const caller& who) {
          for (const auto& b : m.bindings) ports_.push_back(b.host.port);
          EXPECT_EQ(who, sender);
        },
        ignored_);
    return testing::internal::GetCapturedStderr();
  }

  support::event_loop loop_;
  base::unique_fd client_;
  std::optional<message_connection> connection_;
  base::log::throttle ignored_;
  std::vector<std::uint16_t> ports_;
};

TEST_F(message_connection_test, takes_complete_messages_and_waits_for_the_rest) {
  const auto last = text_of(3);
  write(text_of(1) + text_of(2) + last.substr(0, 10));
  EXPECT_EQ(drain(), "");
  EXPECT_EQ(ports_, (std::vector<std::uint16_t>{1, 2}));
  EXPECT_TRUE(connection_->is_open());
  write(last.substr(10));
  drain();
  EXPECT_EQ(ports_, (std::vector<std::uint16_t>{1, 2, 3}));
}

TEST_F(message_connection_test, without_bytes_it_stays_open) {
  EXPECT_EQ(drain(), "");
  EXPECT_TRUE(connection_->is_open());
}

TEST_F(message_connection_test, the_end_closes_it_after_the_last_message) {
  write(text_of(1));
  client_.reset();
  EXPECT_EQ(drain(), "");
  EXPECT_EQ(ports_, (std::vector<std::uint16_t>{1}));
  EXPECT_FALSE(connection_->is_open());
  drain();  // again: no descriptor is left to read
}

TEST_F(message_connection_test, an_end_within_a_message_is_logged) {
  write(text_of(1).substr(0, 10));
  client_.reset();
  EXPECT_THAT(drain(), HasSubstr("ignored an incomplete message connection=7"));
  EXPECT_TRUE(ports_.empty());
  EXPECT_FALSE(connection_->is_open());
}

TEST_F(message_connection_test, anything_but_messages_closes_it_and_those_before_are_taken) {
  write(text_of(1) + "GET / HTTP/1.1\r\n\r\n" + text_of(2));
  EXPECT_THAT(drain(), HasSubstr("closed a connection that sent no message connection=7"));
  EXPECT_EQ(ports_, (std::vector<std::uint16_t>{1}));
  EXPECT_FALSE(connection_->is_open());
  char byte = 0;
  EXPECT_LE(::recv(client_.get(), &byte, 1, MSG_DONTWAIT), 0);
}

TEST_F(message_connection_test, an_invalid_message_costs_itself_alone) {
  write(R"({"ports":7})" + text_of(2));
  EXPECT_THAT(drain(), HasSubstr("ignored a message connection=7 reason="));
  EXPECT_EQ(ports_, (std::vector<std::uint16_t>{2}));
  EXPECT_TRUE(connection_->is_open());
}

TEST_F(message_connection_test, a_message_that_is_too_deep_costs_itself_alone) {
  const std::size_t depth = 5'000;
  write(R"({"ports":)" + std::string(depth, '[') + std::string(depth, ']') + "}" + text_of(2));
  EXPECT_THAT(drain(), HasSubstr("ignored a message connection=7"));
  EXPECT_EQ(ports_, (std::vector<std::uint16_t>{2}));
  EXPECT_TRUE(connection_->is_open());
}

TEST_F(message_connection_test, an_invalid_part_is_counted_and_the_others_taken) {
  write(R"({"ports":{"80/tcp":[{"HostPort":"0"},{"HostPort":"5"}]}})");
  EXPECT_THAT(drain(), HasSubstr("ignored parts of a message connection=7 count=1 first: "));
  EXPECT_EQ(ports_, (std::vector<std::uint16_t>{5}));
}

TEST_F(message_connection_test, a_message_without_end_is_cut_off_at_the_bound) {
  write(R"({"x":")");
  const std::string chunk(100'000, 'a');
  std::size_t sent = 0;
  std::string log;
  while (connection_->is_open() && sent < 3 * port_mapping::max_message_bytes) {
    const auto took = ::send(client_.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
    sent += static_cast<std::size_t>(std::max<ssize_t>(took, 0));
    log += drain();
  }
  EXPECT_FALSE(connection_->is_open());
  EXPECT_GT(sent, port_mapping::max_message_bytes - chunk.size());
  EXPECT_LT(sent, port_mapping::max_message_bytes + 1'000'000);
  EXPECT_THAT(log, HasSubstr("connection=7"));
}

TEST_F(message_connection_test, it_was_heard_when_bytes_came_last) {
  const auto accepted = connection_->heard();
  loop_.pass_time(10s);
  drain();
  EXPECT_EQ(connection_->heard(), accepted) << "silence counts as a sign of life";
  write("{");
  drain();
  EXPECT_GE(connection_->heard(), accepted + 10s) << "half a message is one too";
}

TEST_F(message_connection_test, is_readable_when_bytes_come_and_when_it_is_closed) {
  int woken = 0;
  auto wait = [](message_connection& one, int& count) -> async::task<> {
    co_await one.readable();
    ++count;
  };
  loop_.spawn(wait(*connection_, woken));
  loop_.settle();
  EXPECT_EQ(woken, 0);
  write("{");
  EXPECT_TRUE(loop_.run_until([&] { return woken == 1; }));
  drain();
  loop_.spawn(wait(*connection_, woken));
  loop_.settle();
  EXPECT_EQ(woken, 1);
  connection_->close();
  EXPECT_TRUE(loop_.run_until([&] { return woken == 2; }));
}

}  // namespace
}  // namespace port_proxy
