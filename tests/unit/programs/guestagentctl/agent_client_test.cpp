// The stream of documents from an agent that hangs, or refuses.
#include "programs/guestagentctl/agent_client.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "os/claimed_unix_path.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace guestagentctl {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::string_view good_head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

class agent_client_test : public testing::Test {
 protected:
  void SetUp() override {
    auto claimed = os::claimed_unix_path::claim(path_);
    ASSERT_TRUE(claimed) << claimed.error().message();
    listener_.emplace(std::move(*claimed));
    loop_.spawn(follow());
    ASSERT_TRUE(loop_.run_until([&] {
      if (!client_) client_.reset(::accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      return bool(client_);
    }));
  }
  async::task<> follow() {
    ended_ = co_await follow_status(path_, [this](std::string_view) -> base::result<appetite> {
      ++documents_;
      return appetite::more;
    });
  }
  void send(std::string_view bytes) {
    support::send_all(client_.get(), bytes);
    loop_.settle();
  }
  // The bytes of one kind, one each ten seconds, for ten minutes at most.
  bool ends_while_receiving(std::string_view bytes) {
    for (int i = 0; i < 60 && !ended_; ++i) {
      send(bytes);
      loop_.pass_time(10s);
      loop_.settle();
    }
    return ended_.has_value();
  }
  [[nodiscard]] std::string reason() const { return ended_ && !*ended_ ? ended_->error().message() : ""; }

  const support::temp_dir directory_;
  const std::string path_ = (directory_ / "agent.sock").string();
  std::optional<os::claimed_unix_path> listener_;
  base::unique_fd client_;
  support::event_loop loop_;
  int documents_ = 0;
  std::optional<base::result<>> ended_;
};

TEST_F(agent_client_test, an_agent_that_sends_spaces_alone_has_stopped) {
  send(std::string(good_head) + "{}\n");
  EXPECT_EQ(documents_, 1);
  EXPECT_TRUE(ends_while_receiving(" "));
  EXPECT_THAT(reason(), HasSubstr("the agent has stopped"));
}

TEST_F(agent_client_test, a_document_must_end_in_its_time) {
  send(std::string(good_head) + "{\"a\":\"");
  EXPECT_TRUE(ends_while_receiving("x"));
  EXPECT_EQ(documents_, 0);
}

TEST_F(agent_client_test, one_document_every_ten_seconds_is_enough) {
  send(good_head);
  EXPECT_FALSE(ends_while_receiving("{}\n")) << reason();
  EXPECT_EQ(documents_, 60);
}

TEST_F(agent_client_test, a_refusal_has_its_reason) {
  send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 23\r\n\r\ntoo many ");
  EXPECT_FALSE(ended_);
  send("pages are open");
  ASSERT_TRUE(loop_.run_until([&] { return ended_.has_value(); }));
  EXPECT_EQ(reason(), "the agent answered 503: too many pages are open");
}

TEST_F(agent_client_test, a_reason_that_does_not_end_is_cut) {
  send("HTTP/1.1 500 Internal Server Error\r\n\r\nno");
  loop_.pass_time(6s);
  ASSERT_TRUE(loop_.run_until([&] { return ended_.has_value(); }));
  EXPECT_EQ(reason(), "the agent answered 500: no");
}

}  // namespace
}  // namespace guestagentctl
