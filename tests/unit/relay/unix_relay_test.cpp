// The relay between TCP and UNIX sockets, as vtunnel uses it without virtual sockets.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/un.h>
#include <time.h>

#include "net/stream_address.hpp"
#include "relay/listener_set.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace relay {
namespace {

using support::accept_one;
using support::connected_socket;
using support::eventually;
using support::is_reset;
using support::read_all;
using support::read_exactly;
using support::send_all;

class unix_relay_test : public testing::Test {
 protected:
  static base::unique_fd unix_socket() {
    base::unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    support::set_deadline(fd.get());
    return fd;
  }
  // TCP in front of a UNIX socket that the test plays.
  void start(tunnel_side tunnel, int backlog = 64) {
    target_ = unix_socket();
    const auto at = net::to_sockaddr(net::stream_address(path_));
    ASSERT_EQ(::bind(target_.get(), at.get(), at.size), 0);
    ASSERT_EQ(::listen(target_.get(), backlog), 0);
    auto listening = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
    ::fcntl(listening.get(), F_SETFL, O_NONBLOCK);
    listen_ = support::local_endpoint(listening.get());
    ASSERT_TRUE(set_.adopt(std::move(listening), {at, tunnel, 0}));
  }
  void connect() {
    client_ = connected_socket(SOCK_STREAM, listen_);
    server_ = accept_one(target_.get());
  }

  support::temp_dir directory_;
  net::unix_path path_{(directory_ / "target").string()};
  base::unique_fd target_, client_, server_;
  net::endpoint listen_;
  listener_set set_;
};

TEST_F(unix_relay_test, carries_bytes_and_ends_both_ways) {
  start(tunnel_side::target);
  connect();
  send_all(client_.get(), "ping");
  ::shutdown(client_.get(), SHUT_WR);
  EXPECT_EQ(read_all(server_.get()), "ping");
  send_all(server_.get(), "pong");
  ::shutdown(server_.get(), SHUT_WR);
  EXPECT_EQ(read_all(client_.get()), "pong");
  EXPECT_TRUE(eventually([this] { return set_.count().connections == 0; }));
}

TEST_F(unix_relay_test, a_tunnel_that_is_closed_as_a_whole_was_reset) {
  start(tunnel_side::target);
  connect();
  send_all(server_.get(), "last words");
  EXPECT_EQ(read_exactly(client_.get(), 10), "last words");
  server_.reset();
  EXPECT_TRUE(is_reset(client_));
}

// On one processor, so that the relay finds the words and the end together.
TEST_F(unix_relay_test, what_a_tunnel_says_right_before_its_reset_arrives) {
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
  ::sched_setaffinity(0, sizeof one, &one);
  start(tunnel_side::target);
  for (int i = 0; i < 20; ++i) {
    connect();
    send_all(server_.get(), "last words");
    server_.reset();
    EXPECT_EQ(read_exactly(client_.get(), 10), "last words");
    EXPECT_TRUE(is_reset(client_));
  }
  ::sched_setaffinity(0, sizeof before, &before);
}

TEST_F(unix_relay_test, a_server_that_is_closed_as_a_whole_has_ended) {
  start(tunnel_side::none);
  connect();
  send_all(server_.get(), "answer");
  server_.reset();
  EXPECT_EQ(read_all(client_.get()), "answer");
  clockid_t cpu{};
  timespec before{}, after{};
  ASSERT_EQ(::clock_getcpuclockid(::getpid(), &cpu), 0);
  ::clock_gettime(cpu, &before);
  ::poll(nullptr, 0, 200);  // the client keeps its own side open
  ::clock_gettime(cpu, &after);
  EXPECT_LT((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1'000'000, 100)
      << "the relay spins";
  client_.reset();
  EXPECT_TRUE(eventually([this] { return set_.count().connections == 0; }));
}

TEST_F(unix_relay_test, a_reset_of_the_client_closes_the_tunnel_as_a_whole) {
  start(tunnel_side::target);
  connect();
  send_all(client_.get(), "x");
  EXPECT_EQ(read_exactly(server_.get(), 1), "x");
  const linger now{1, 0};
  ::setsockopt(client_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  client_.reset();
  EXPECT_EQ(read_all(server_.get()), "");
  EXPECT_TRUE(is_abandoned(server_.get()));
}

TEST_F(unix_relay_test, a_full_queue_is_waited_for) {
  start(tunnel_side::none, 0);
  std::vector<base::unique_fd> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(connected_socket(SOCK_STREAM, listen_));
    send_all(clients.back().get(), "x");
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(read_exactly(accept_one(target_.get()).get(), 1), "x");
}

TEST_F(unix_relay_test, a_target_that_does_not_listen_resets_the_client) {
  start(tunnel_side::target);
  target_.reset();
  client_ = connected_socket(SOCK_STREAM, listen_);
  EXPECT_TRUE(is_reset(client_));
}

}  // namespace
}  // namespace relay
