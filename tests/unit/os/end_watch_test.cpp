#include "os/end_watch.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <system_error>

#include "async/timeout.hpp"
#include "base/unique_fd.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

class end_watch_test : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_.reset(ends[0]);
    peer_.reset(ends[1]);
    auto made = end_watch::open(loop_.executor(), ours_.get(), end_of::reading);
    ASSERT_TRUE(made);
    watch_.emplace(std::move(*made));
    auto wait = [](end_watch& watch, bool& ended) -> async::task<> {
      co_await watch.ended();
      ended = true;
    };
    loop_.spawn(wait(*watch_, ended_));
  }
  void TearDown() override { loop_.stop(); }

  support::event_loop loop_;
  base::unique_fd ours_, peer_;
  std::optional<end_watch> watch_;
  bool ended_ = false;
};

TEST_F(end_watch_test, data_that_another_process_reads_is_not_an_end) {
  for (int i = 0; i < 100; ++i) support::send_all(peer_.get(), "frames");
  loop_.settle();
  EXPECT_FALSE(ended_);
}

TEST_F(end_watch_test, the_peer_s_close_is_an_end_even_after_data) {
  support::send_all(peer_.get(), "frames");
  peer_.reset();
  EXPECT_TRUE(loop_.run_until([this] { return ended_; }));
}

TEST_F(end_watch_test, a_shutdown_by_a_copy_of_our_end_is_an_end) {
  const base::unique_fd copy(::dup(ours_.get()));
  ::shutdown(copy.get(), SHUT_RDWR);
  EXPECT_TRUE(loop_.run_until([this] { return ended_; }));
}

// Asio would change them, for each process that has the socket.
TEST_F(end_watch_test, the_flags_of_the_descriptor_stay) {
  loop_.settle();
  EXPECT_EQ(::fcntl(ours_.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(end_watch_test, a_peer_that_only_ends_what_it_sends_still_reads) {
  auto both = end_watch::open(loop_.executor(), ours_.get(), end_of::both_directions);
  ASSERT_TRUE(both);
  ::shutdown(peer_.get(), SHUT_WR);
  EXPECT_TRUE(loop_.run_until([this] { return ended_; }));
  const auto closed = loop_.run(async::within(std::chrono::milliseconds(20), both->ended()));
  EXPECT_FALSE(closed);
  peer_.reset();
  EXPECT_TRUE(loop_.run(async::within(std::chrono::seconds(5), both->ended())));
}

TEST_F(end_watch_test, a_file_has_no_peer) {
  const support::temp_dir directory;
  const base::unique_fd file(::open((directory / "file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const auto watch = end_watch::open(loop_.executor(), file.get(), end_of::both_directions);
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().code, std::errc::operation_not_permitted);
}

}  // namespace
}  // namespace os
