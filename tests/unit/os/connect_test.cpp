#include "os/connect.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <fstream>
#include <vector>

#include "async/timeout.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;

async::clock::time_point in(async::clock::duration time) { return async::clock::now() + time; }

class connect_test : public testing::Test {
 protected:
  base::unique_fd listen(int backlog) {
    base::unique_fd made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto at = net::to_sockaddr(path_);
    EXPECT_EQ(::bind(made.get(), at.get(), at.size), 0);
    EXPECT_EQ(::listen(made.get(), backlog), 0);
    return made;
  }
  // Connections that the server never accepts, until its queue is full.
  void fill_queue() {
    while (auto one = connect_now(path_)) queued_.push_back(std::move(*one));
  }

  support::temp_dir directory_;
  net::unix_path path_{directory_ / "x.sock"};
  std::vector<base::unique_fd> queued_;
  support::event_loop loop_;
};

TEST_F(connect_test, reaches_a_tcp_server) {
  const auto server = support::listen_on_loopback();
  const net::endpoint at{net::address::loopback_v4(), server.port};
  const auto made = loop_.run(connect_to(at, in(5s)));
  ASSERT_TRUE(made) << made.error().message();
  net::socket_address peer;
  ASSERT_EQ(::getpeername(made->get(), peer.get(), &peer.size), 0);
  EXPECT_EQ(net::from_sockaddr(peer), at);
  EXPECT_NE(::fcntl(made->get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(made->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(connect_test, a_port_without_a_server_is_refused) {
  const auto port = support::listen_on_loopback().port;  // closed again
  const auto failed = loop_.run(connect_to(net::endpoint{net::address::loopback_v4(), port}, in(5s)));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, std::errc::connection_refused);
  EXPECT_EQ(failed.error().context, "connect 127.0.0.1:" + std::to_string(port));
}

TEST_F(connect_test, reaches_a_unix_server) {
  const auto server = listen(5);
  EXPECT_TRUE(loop_.run(connect_to(path_, in(5s))));
  EXPECT_TRUE(connect_now(path_));
}

TEST_F(connect_test, a_missing_socket_and_a_dead_one_are_told_apart) {
  EXPECT_EQ(loop_.run(connect_to(path_, in(5s))).error().code, std::errc::no_such_file_or_directory);
  EXPECT_EQ(connect_now(path_).error().code, std::errc::no_such_file_or_directory);
  listen(5).reset();
  EXPECT_EQ(loop_.run(connect_to(path_, in(5s))).error().code, std::errc::connection_refused);
  EXPECT_EQ(connect_now(path_).error().message(), "connect unix:" + path_.path + ": Connection refused");
}

TEST_F(connect_test, a_path_that_does_not_fit_is_not_cut) {
  const net::unix_path longer{"/" + std::string(net::longest_unix_path, 'x')};
  EXPECT_EQ(loop_.run(connect_to(longer, in(5s))).error().code, std::errc::filename_too_long);
  EXPECT_EQ(connect_now(longer).error().code, std::errc::filename_too_long);
}

TEST_F(connect_test, a_full_queue_is_tried_until_the_deadline) {
  const auto server = listen(0);
  fill_queue();
  EXPECT_EQ(connect_now(path_).error().code, std::errc::resource_unavailable_try_again);
  const auto failed = loop_.run(connect_to(path_, in(50ms)));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, std::errc::timed_out);
  EXPECT_EQ(failed.error().context, "connect unix:" + path_.path);
}

async::task<> accept_one(int listener, async::clock::duration later) {
  co_await async::sleep_for(later);
  const base::unique_fd taken(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(taken);
}

TEST_F(connect_test, a_full_queue_with_room_again_is_a_connection) {
  const auto server = listen(0);
  fill_queue();
  loop_.spawn(accept_one(server.get(), 30ms));
  EXPECT_TRUE(loop_.run(connect_to(path_, in(5s))));
}

// The kernel drops SYNs for a listener whose queue is full.
TEST_F(connect_test, a_server_that_never_answers_meets_the_deadline) {
  const auto server = support::listen_on_loopback();
  ASSERT_EQ(::listen(server.fd.get(), 0), 0);
  const net::endpoint at{net::address::loopback_v4(), server.port};
  base::result<base::unique_fd> last;
  for (int i = 0; i < 4 && (last = loop_.run(connect_to(at, in(100ms)))); ++i) queued_.push_back(std::move(*last));
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, std::errc::timed_out);
}

// With one port to choose from, a connection to that port takes it as its source.
TEST_F(connect_test, a_connection_to_itself_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("itself");
  const net::endpoint itself{net::address::loopback_v4(), 40'404};
  place.run([&] {
    std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "40404 40404";
    const base::unique_fd raw(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const linger reset{1, 0};  // an orderly end would keep the port for a minute
    ::setsockopt(raw.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    const auto at = net::to_sockaddr(itself);
    ASSERT_EQ(::connect(raw.get(), at.get(), at.size), 0) << "the kernel did not do what this test is about";
  });
  const auto made = place.run([&] { return loop_.run(connect_to(itself, in(5s))); });
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, std::errc::connection_refused);
  EXPECT_NO_THROW(place.run([&] { support::bound_socket(SOCK_STREAM, itself); })) << "its server cannot have the port";
}

}  // namespace
}  // namespace os
