#include "relay/tcp_direction.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/ioctl.h>

#include <array>
#include <csignal>

#include "relay/sockets.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using support::eventually;
using enum tcp_direction::state;

constexpr auto loopback = net::address::loopback_v4();

// A connection whose `inner` end the direction works on, and whose `outer` end the test plays.
struct link {
  base::unique_fd outer, inner;
};
link tcp_link() {
  const auto listener = support::bound_socket(SOCK_STREAM, {loopback, 0});
  link made;
  made.outer = support::connected_socket(SOCK_STREAM, support::local_endpoint(listener.get()));
  made.inner.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  return made;
}
link unix_link() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  link made{base::unique_fd(ends[0]), base::unique_fd(ends[1])};
  support::set_deadline(made.outer.get());
  ::fcntl(made.inner.get(), F_SETFL, O_NONBLOCK);
  return made;
}

std::size_t waiting(const base::unique_fd& fd) {
  int count = 0;
  ::ioctl(fd.get(), FIONREAD, &count);
  return static_cast<std::size_t>(count);
}

class tcp_direction_test : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as every program of ours does
  }
  void pump(bool source_ends = false) {
    const auto now = direction_.pump(source_.inner.get(), target_.inner.get(), pipes_, source_ends);
    moved_.read += now.read;
    moved_.written += now.written;
  }
  // Sends until the kernel takes no more, while the direction reads on. Returns what was sent.
  std::string fill() {
    const std::string block(256 << 10, 'x');
    std::string sent;
    while (!direction_.wants_write() && sent.size() < (64 << 20)) {
      const auto took = ::send(source_.outer.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      sent.append(static_cast<std::size_t>(std::max<ssize_t>(took, 0)), 'x');
      pump();
    }
    return sent;
  }
  // Pumps until the outer end of the target has so many bytes, and returns them.
  std::string receive(std::size_t size) {
    std::string got;
    EXPECT_TRUE(eventually([&] {
      pump();
      std::array<char, 65'536> piece;
      const auto count = ::recv(target_.outer.get(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (count > 0) got.append(piece.data(), static_cast<std::size_t>(count));
      return got.size() >= size;
    }));
    return got;
  }

  descriptor_budget budget_{1'024};
  pipe_pool pipes_{budget_};
  link source_ = tcp_link(), target_ = tcp_link();
  tcp_direction direction_;
  tcp_direction::moved moved_;  // by all pumps
};

TEST_F(tcp_direction_test, waits_for_bytes_while_there_are_none) {
  pump();
  EXPECT_EQ(direction_.now(), open);
  EXPECT_TRUE(direction_.wants_read());
  EXPECT_FALSE(direction_.wants_write());
}

TEST_F(tcp_direction_test, while_the_target_is_full_it_waits_for_room_and_reads_nothing) {
  target_ = unix_link();  // its room does not grow by itself
  fill();
  ASSERT_TRUE(direction_.wants_write()) << "the target never filled";
  EXPECT_FALSE(direction_.wants_read());
  support::send_all(source_.outer.get(), "more");
  ASSERT_TRUE(eventually([&] { return waiting(source_.inner) > 0; }));
  const auto before = waiting(source_.inner);
  pump();
  EXPECT_GE(waiting(source_.inner), before);
}

TEST_F(tcp_direction_test, an_end_behind_a_backlog_is_passed_on_after_the_last_byte) {
  target_ = unix_link();  // its room does not grow by itself
  const auto sent = fill();
  ::shutdown(source_.outer.get(), SHUT_WR);
  pump(true);
  EXPECT_NE(direction_.now(), finished) << "bytes are left";
  EXPECT_GT(moved_.written, 0U);
  EXPECT_EQ(moved_.written, waiting(target_.outer)) << "what is in the backlog was not written";
  EXPECT_LT(moved_.written, moved_.read);
  EXPECT_EQ(receive(sent.size()), sent);
  EXPECT_TRUE(eventually([&] {
    pump(true);
    return direction_.now() == finished;
  }));
  EXPECT_EQ(moved_.read, sent.size());
  EXPECT_EQ(moved_.written, sent.size());
  EXPECT_FALSE(direction_.wants_read());
  EXPECT_FALSE(direction_.wants_write());
}

TEST_F(tcp_direction_test, an_end_that_comes_with_the_last_bytes_waits_for_their_room) {
  target_ = unix_link();  // its room does not grow by itself
  const std::string block(64 << 10, 'x');
  std::size_t filled = 0;
  for (ssize_t took = 1; took > 0; filled += static_cast<std::size_t>(std::max<ssize_t>(took, 0)))
    took = ::send(target_.inner.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  support::send_all(source_.outer.get(), "last words");
  ::shutdown(source_.outer.get(), SHUT_WR);
  pollfd ended{source_.inner.get(), POLLRDHUP, 0};
  ASSERT_EQ(::poll(&ended, 1, 10'000), 1);
  pump(true);
  EXPECT_EQ(direction_.now(), draining);
  EXPECT_TRUE(direction_.wants_write());
  EXPECT_FALSE(direction_.wants_read());
  EXPECT_EQ(receive(filled + 10).substr(filled), "last words");
  EXPECT_EQ(direction_.now(), finished);
}

TEST_F(tcp_direction_test, a_known_end_is_handled_in_the_same_call_as_the_last_bytes) {
  support::send_all(source_.outer.get(), "last words");
  ::shutdown(source_.outer.get(), SHUT_WR);
  pollfd ended{source_.inner.get(), POLLRDHUP, 0};
  ASSERT_EQ(::poll(&ended, 1, 10'000), 1);
  pump(true);
  EXPECT_EQ(direction_.now(), finished);
  ::shutdown(target_.inner.get(), SHUT_WR);
  EXPECT_EQ(support::read_all(target_.outer.get()), "last words");
}

TEST_F(tcp_direction_test, without_a_pipe_bulk_data_arrives_all_the_same) {
  std::vector<descriptor_lease> taken;
  while (auto lease = budget_.take(descriptor_use::pipe)) taken.push_back(std::move(lease));
  std::string sent(300'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 >> 3);
  ASSERT_EQ(::send(source_.outer.get(), sent.data(), sent.size(), 0), static_cast<ssize_t>(sent.size()));
  EXPECT_EQ(receive(sent.size()), sent);
}

TEST_F(tcp_direction_test, a_source_that_is_reset_breaks_it) {
  reset_on_close(source_.outer.get());
  source_.outer.reset();
  pollfd reset{source_.inner.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&reset, 1, 10'000), 1);
  pump();
  EXPECT_EQ(direction_.now(), broken);
  EXPECT_FALSE(direction_.wants_read());
  EXPECT_FALSE(direction_.wants_write());
}

TEST_F(tcp_direction_test, a_target_that_is_gone_breaks_it) {
  target_ = unix_link();
  target_.outer.reset();
  pump();
  EXPECT_EQ(direction_.now(), open) << "without bytes there is nothing to fail";
  support::send_all(source_.outer.get(), "x");
  ASSERT_TRUE(eventually([&] { return waiting(source_.inner) > 0; }));
  pump();
  EXPECT_EQ(direction_.now(), broken);
}

// Its bytes would reach the next connection.
TEST_F(tcp_direction_test, the_pipe_of_a_broken_connection_is_not_lent_again) {
  target_ = unix_link();
  fill();
  target_.outer.reset();
  pump();
  ASSERT_EQ(direction_.now(), broken);
  for (int i = 0; i < 3; ++i) {
    const auto pipe = pipes_.borrow();
    ASSERT_TRUE(pipe);
    EXPECT_EQ(waiting(pipe->read), 0U);
  }
}

TEST_F(tcp_direction_test, the_urgent_byte_travels_in_line_to_a_target_that_has_none) {
  target_ = unix_link();
  const int one = 1;
  ::setsockopt(source_.inner.get(), SOL_SOCKET, SO_OOBINLINE, &one, sizeof one);
  support::send_all(source_.outer.get(), "ab");
  ASSERT_EQ(::send(source_.outer.get(), "!", 1, MSG_OOB), 1);
  support::send_all(source_.outer.get(), "cd");
  ASSERT_TRUE(eventually([&] { return waiting(source_.inner) > 0; }));
  direction_.urgent_ahead();
  EXPECT_EQ(receive(5), "ab!cd");
  EXPECT_EQ(direction_.now(), open);
}

}  // namespace
}  // namespace relay
