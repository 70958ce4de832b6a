#include "http/dial.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "net/stream_address.hpp"
#include "os/resolve.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace http {
namespace {

using namespace std::chrono_literals;

class dial_test : public testing::Test {
 protected:
  base::result<> dial_to(server_address to, async::clock::duration limit = 5s) {
    return loop_.run(run(socket_, std::move(to), limit));
  }
  static async::task<base::result<>> run(any_stream::socket_type& socket, server_address to,
                                         async::clock::duration limit) {
    co_return co_await dial(socket, to, async::clock::now() + limit);
  }
  int option(int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(socket_.native_handle(), level, name, &value, &size), 0);
    return value;
  }

  support::event_loop loop_;
  any_stream::socket_type socket_{loop_.executor()};
};

TEST_F(dial_test, a_connection_notices_a_peer_that_vanishes) {
  const auto server = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
  const auto at = support::local_endpoint(server.get());
  const auto done = dial_to({.host = "127.0.0.1", .port = at.port});
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_TRUE(socket_.is_open());
  EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY), 1);
  const int probed =
      option(IPPROTO_TCP, TCP_KEEPIDLE) + option(IPPROTO_TCP, TCP_KEEPINTVL) * option(IPPROTO_TCP, TCP_KEEPCNT);
  EXPECT_LE(probed, 30) << "seconds of silence";
  EXPECT_GT(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  EXPECT_LE(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000) << "milliseconds without an acknowledgement";
}

TEST_F(dial_test, connects_to_the_path_of_a_unix_socket) {
  const support::temp_dir directory;
  const auto path = (directory / "server").string();
  const auto at = net::to_sockaddr(net::stream_address(net::unix_path{path}));
  const base::unique_fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(server.get(), at.get(), at.size), 0);
  ASSERT_EQ(::listen(server.get(), 1), 0);
  const auto done = dial_to({.path = path, .host = "192.0.2.1"});
  ASSERT_TRUE(done) << done.error().message();
  support::send_all(socket_.native_handle(), "x");
  EXPECT_EQ(support::read_exactly(support::accept_one(server.get()).get(), 1), "x");
}

TEST_F(dial_test, after_a_failure_the_socket_is_closed_and_can_be_used_again) {
  const auto refused = dial_to({.host = "127.0.0.1", .port = support::free_port()});
  EXPECT_EQ(refused.error().code, std::errc::connection_refused);
  EXPECT_FALSE(socket_.is_open());
  EXPECT_EQ(dial_to({.path = "/nonexistent/x.sock"}).error().code, std::errc::no_such_file_or_directory);
  EXPECT_FALSE(socket_.is_open());
  const auto server = support::bound_socket(SOCK_STREAM, {net::address::loopback_v6(), 0});
  EXPECT_TRUE(dial_to({.host = "::1", .port = support::local_endpoint(server.get()).port}));
  EXPECT_TRUE(socket_.is_open());
}

TEST_F(dial_test, the_next_address_of_a_name_is_tried) {
  const auto all = loop_.run(os::resolve("localhost", 0)).value();
  if (all.size() < 2) GTEST_SKIP() << "localhost has one address here";
  const auto server = support::bound_socket(SOCK_STREAM, {all.back().ip, 0});
  const auto done = dial_to({.host = "localhost", .port = support::local_endpoint(server.get()).port});
  ASSERT_TRUE(done) << "the first address refuses, the last one answers: " << done.error().message();
  EXPECT_TRUE(socket_.is_open());
}

TEST_F(dial_test, a_server_that_does_not_answer_meets_the_deadline) {
  const auto silent = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
  ASSERT_EQ(::listen(silent.get(), 0), 0);  // a queue of one, which is taken now
  const auto at = support::local_endpoint(silent.get());
  const auto filling = support::connected_socket(SOCK_STREAM, at);
  EXPECT_EQ(dial_to({.host = "127.0.0.1", .port = at.port}, 50ms).error().code, std::errc::timed_out);
  EXPECT_FALSE(socket_.is_open());
}

}  // namespace
}  // namespace http
