#include "programs/vtunnel/handshake.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <thread>

#include "os/unix_listener.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace vtunnel {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(phrase_reader, knows_the_phrase_in_any_pieces) {
  using enum phrase_reader::state;
  for (std::size_t cut = 0; cut <= seed_phrase.size(); ++cut) {
    phrase_reader r;
    EXPECT_EQ(r.feed(seed_phrase.substr(0, cut)), cut == seed_phrase.size() ? matched : reading);
    EXPECT_EQ(r.feed(seed_phrase.substr(cut)), matched);
    EXPECT_EQ(r.feed("more"), matched) << "exactly that many bytes are read";
  }
  phrase_reader wrong_one;
  EXPECT_EQ(wrong_one.feed("github.com/x"), wrong);
  EXPECT_EQ(wrong_one.feed(seed_phrase), wrong);
}

class handshake_test : public testing::Test {
 protected:
  void TearDown() override { loop_.stop(); }
  void listen() {
    auto made = os::unix_listener::claim(path_);
    ASSERT_TRUE(made);
    listener_.emplace(std::move(*made));
  }
  base::result<> shake(std::chrono::milliseconds limit = 10s) {
    return loop_.run(shake_hands(net::unix_path{path_.string()}, limit));
  }

  support::temp_dir directory_;
  std::filesystem::path path_ = directory_ / "handshake";
  support::event_loop loop_;
  std::optional<os::unix_listener> listener_;
};

TEST_F(handshake_test, the_peer_answers_everybody) {
  listen();
  loop_.spawn(answer_handshakes(base::unique_fd(::dup(listener_->fd()))));
  for (int i = 0; i < 3; ++i) {
    const auto done = shake();
    EXPECT_TRUE(done) << done.error().message();
  }
}

TEST_F(handshake_test, nobody_is_there) { EXPECT_EQ(shake().error().code, std::errc::no_such_file_or_directory); }

TEST_F(handshake_test, somebody_who_says_nothing_is_given_up) {
  listen();
  EXPECT_EQ(shake(50ms).error().code, std::errc::timed_out);
}

TEST_F(handshake_test, somebody_else_is_there) {
  listen();
  std::jthread other([this] {
    base::unique_fd client;
    while (!client) client.reset(::accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC));
    ::send(client.get(), "SSH-2.0-OpenSSH_9.2p1\r\n", 23, MSG_NOSIGNAL);
  });
  EXPECT_THAT(shake().error().message(), HasSubstr("not the seed phrase"));
}

}  // namespace
}  // namespace vtunnel
