#include "programs/network_setup/connection_watch.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "base/unique_fd.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"

namespace network_setup {
namespace {

class connection_watch_test : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_.reset(ends[0]);
    peer_.reset(ends[1]);
    auto made = connection_watch::open(loop_.executor(), ours_.get());
    ASSERT_TRUE(made);
    watch_.emplace(std::move(*made));
    auto wait = [](connection_watch& watch, bool& ended) -> async::task<> {
      co_await watch.ended();
      ended = true;
    };
    loop_.spawn(wait(*watch_, ended_));
  }
  void TearDown() override { loop_.stop(); }

  support::event_loop loop_;
  base::unique_fd ours_, peer_;
  std::optional<connection_watch> watch_;
  bool ended_ = false;
};

TEST_F(connection_watch_test, data_that_another_process_reads_is_not_an_end) {
  for (int i = 0; i < 100; ++i) support::send_all(peer_.get(), "frames");
  loop_.settle();
  EXPECT_FALSE(ended_);
}

TEST_F(connection_watch_test, the_peer_s_close_is_an_end_even_after_data) {
  support::send_all(peer_.get(), "frames");
  peer_.reset();
  EXPECT_TRUE(loop_.run_until([this] { return ended_; }));
}

TEST_F(connection_watch_test, a_shutdown_by_a_copy_of_our_end_is_an_end) {
  const base::unique_fd copy(::dup(ours_.get()));
  ::shutdown(copy.get(), SHUT_RDWR);
  EXPECT_TRUE(loop_.run_until([this] { return ended_; }));
}

}  // namespace
}  // namespace network_setup
