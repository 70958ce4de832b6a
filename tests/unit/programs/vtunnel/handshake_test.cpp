#include "programs/vtunnel/handshake.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <thread>

#include "os/claimed_unix_path.hpp"
#include "os/connect.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace vtunnel {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class handshake_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  void listen() {
    auto made = os::claimed_unix_path::claim(path_);
    ASSERT_TRUE(made);
    listener_.emplace(std::move(*made));
  }
  base::result<> shake(std::chrono::milliseconds limit = 10s) {
    return loop_.run(shake_hands(net::unix_path{path_.string()}, limit));
  }

  // A peer that sends these bytes to its first client.
  [[nodiscard]] std::jthread answer_with(std::string text) const {
    return std::jthread([this, text = std::move(text)] {
      base::unique_fd client;
      while (!client) client.reset(::accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC));
      ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
    });
  }

  support::temp_dir directory_;
  std::filesystem::path path_ = directory_ / "handshake";
  support::event_loop loop_;
  std::optional<os::claimed_unix_path> listener_;
};

// What an original end sends and expects.
TEST(vtunnel_phrase, is_the_originals) { EXPECT_EQ(seed_phrase, "github.com/rancher-sandbox/rancher-desktop-vtunnel"); }

TEST_F(handshake_test, the_peer_answers_each_client) {
  listen();
  loop_.spawn(answer_handshakes(base::unique_fd(::dup(listener_->fd()))));
  for (int i = 0; i < 3; ++i) {
    const auto done = shake();
    EXPECT_TRUE(done) << done.error().message();
  }
}

TEST_F(handshake_test, the_peer_says_the_phrase_and_no_more) {
  listen();
  loop_.spawn(answer_handshakes(base::unique_fd(::dup(listener_->fd()))));
  const auto client = os::connect_now({path_.string()});
  ASSERT_TRUE(client) << client.error().message();
  std::string said;
  EXPECT_TRUE(loop_.run_until([&] {
    std::array<char, 256> bytes;
    const auto got = ::recv(client->get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0) said.append(bytes.data(), static_cast<std::size_t>(got));
    return got == 0;
  })) << "it does not close";
  EXPECT_EQ(said, seed_phrase);
}

TEST_F(handshake_test, without_a_listener_it_fails) {
  EXPECT_EQ(shake().error().code, std::errc::no_such_file_or_directory);
}

TEST_F(handshake_test, a_silent_peer_times_out) {
  listen();
  EXPECT_EQ(shake(50ms).error().code, std::errc::timed_out);
}

TEST_F(handshake_test, another_program_is_not_a_peer) {
  listen();
  const auto other = answer_with("SSH-2.0-OpenSSH_9.2p1\r\n");
  EXPECT_THAT(shake().error().message(), HasSubstr("not the seed phrase"));
}

TEST_F(handshake_test, bytes_behind_the_phrase_are_ignored) {
  listen();
  const auto peer = answer_with(std::string(seed_phrase) + "\nmore");
  const auto done = shake();
  EXPECT_TRUE(done) << done.error().message();
}

}  // namespace
}  // namespace vtunnel
