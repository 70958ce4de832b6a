#include "programs/host_switch/connect_request.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"

namespace host_switch {
namespace {

TEST(connect_request, a_whole_request_is_measured_without_what_follows) {
  const std::string request = "POST /connect HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_EQ(connect_request_size(request), request.size());
  EXPECT_EQ(connect_request_size(request + "\x2a"), request.size());
}

TEST(connect_request, a_part_of_one_waits_for_more) {
  const std::string request = "POST /connect HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t size = 0; size < request.size(); ++size)
    EXPECT_EQ(connect_request_size(std::string_view(request).substr(0, size)), std::nullopt) << size;
}

TEST(connect_request, frames_are_not_requests) {
  EXPECT_EQ(connect_request_size(std::string("\x2a\x00\xff\xff\xff\xff", 6)), 0U);
  EXPECT_EQ(connect_request_size("PO"), std::nullopt) << "also the length of a frame of 20,304 bytes";
  EXPECT_EQ(connect_request_size("POxxxx"), 0U);
  EXPECT_EQ(connect_request_size("POST /tunnel HTTP/1.1\r\n"), 0U);
}

TEST(connect_request, a_request_without_an_end_is_not_one) {
  EXPECT_EQ(connect_request_size("POST /connect " + std::string(longest_connect_request, 'x')), 0U);
}

// ---- On a connection

class skip_connect_request_test : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
    here_.reset(pair[0]);
    peer_.reset(pair[1]);
    loop_.spawn(skip(&here_, &result_));
    loop_.settle();
  }
  void TearDown() override { loop_.stop(); }
  static async::task<> skip(const base::unique_fd* fd, std::optional<bool>* into) {
    *into = co_await skip_connect_request(*fd);
  }
  [[nodiscard]] bool ends() {
    return loop_.run_until([&] { return result_.has_value(); });
  }
  [[nodiscard]] std::string left() const {
    std::array<char, 100> got{};
    const auto size = ::recv(here_.get(), got.data(), got.size(), MSG_DONTWAIT);
    return size < 0 ? "" : std::string(got.data(), static_cast<std::size_t>(size));
  }

  support::event_loop loop_;
  base::unique_fd here_, peer_;
  std::optional<bool> result_;
};

TEST_F(skip_connect_request_test, takes_the_request_and_no_byte_of_the_frames) {
  support::send_all(peer_.get(), "POST /connect HTTP/1.1\r\nHo");
  loop_.settle();
  EXPECT_FALSE(result_);
  support::send_all(peer_.get(), "st: x\r\n\r\nframes");
  ASSERT_TRUE(ends());
  EXPECT_TRUE(*result_);
  EXPECT_EQ(left(), "frames");
}

TEST_F(skip_connect_request_test, frames_stay_as_they_are) {
  support::send_all(peer_.get(), "frames");
  ASSERT_TRUE(ends());
  EXPECT_TRUE(*result_);
  EXPECT_EQ(left(), "frames");
}

TEST_F(skip_connect_request_test, a_peer_that_waits_for_frames_is_waited_for_a_moment) {
  EXPECT_FALSE(result_);
  loop_.pass_time(std::chrono::milliseconds(60));
  ASSERT_TRUE(ends());
  EXPECT_TRUE(*result_);
}

TEST_F(skip_connect_request_test, half_a_request_is_waited_for_two_seconds) {
  support::send_all(peer_.get(), "POST /conn");
  loop_.settle();
  loop_.pass_time(std::chrono::milliseconds(1'000));
  loop_.settle();
  EXPECT_FALSE(result_);
  loop_.pass_time(std::chrono::milliseconds(1'100));
  ASSERT_TRUE(ends());
  EXPECT_FALSE(*result_);
}

TEST_F(skip_connect_request_test, an_owner_that_closes_the_connection_ends_the_wait) {
  here_.reset();
  ASSERT_TRUE(ends());
  EXPECT_FALSE(*result_);
}

TEST_F(skip_connect_request_test, a_peer_that_has_gone_is_no_link) {
  peer_.reset();
  ASSERT_TRUE(ends());
  EXPECT_FALSE(*result_);
}

}  // namespace
}  // namespace host_switch
