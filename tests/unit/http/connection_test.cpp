// The client against misbehaving servers.
#include "http/connection.hpp"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <fstream>
#include <thread>

#include "async/timeout.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/support/temp_dir.hpp"

namespace http {
namespace {

using namespace std::chrono_literals;

// Accepts once, reads one request header, writes `pieces` one by one, and closes, or holds the connection open.
async::task<> misbehave(base::unique_fd listener, std::vector<std::string> pieces, bool hold) {
  boost::asio::ip::tcp::acceptor acceptor(co_await async::asio::this_coro::executor, boost::asio::ip::tcp::v4(),
                                          listener.release());
  auto [ec, socket] = co_await acceptor.async_accept(async::nothrow);
  std::string head;
  co_await boost::asio::async_read_until(socket, boost::asio::dynamic_buffer(head, 65536), "\r\n\r\n", async::nothrow);
  for (const auto& piece : pieces)
    co_await boost::asio::async_write(socket, boost::asio::buffer(piece), async::nothrow);
  if (hold) co_await async::sleep_for(1h);
}

class connection_test : public testing::Test {
 protected:
  base::result<response> ask(std::vector<std::string> pieces, bool hold = false, exchange_limits limits = {}) {
    auto listener = support::listen_on_loopback();
    loop_.spawn(misbehave(std::move(listener.fd), std::move(pieces), hold));
    connection_.emplace(loop_.run(connection::open({.host = "127.0.0.1", .port = listener.port}, 5s)).value());
    return loop_.run(connection_->exchange({}, limits));
  }
  support::event_loop loop_;
  std::optional<connection> connection_;
};

TEST_F(connection_test, refused_and_missing_are_told_apart) {
  const auto port = support::listen_on_loopback().port;  // closed again
  EXPECT_EQ(loop_.run(connection::open({.host = "127.0.0.1", .port = port}, 5s)).error().code,
            std::errc::connection_refused);
  const auto missing = loop_.run(connection::open({.path = "/nonexistent/x.sock"}, 5s));
  EXPECT_EQ(missing.error().code, std::errc::no_such_file_or_directory);
  EXPECT_EQ(missing.error().message(), "unix:///nonexistent/x.sock: No such file or directory");
}

TEST_F(connection_test, a_path_that_is_too_long_is_an_error) {
  const auto failed = loop_.run(connection::open({.path = "/" + std::string(200, 'x')}, 5s));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, std::errc::filename_too_long);
}

TEST_F(connection_test, a_server_that_never_answers_meets_the_deadline) {
  const auto r = ask({}, true, {.deadline = 50ms});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, std::errc::timed_out);
  EXPECT_FALSE(connection_->usable());
}

TEST_F(connection_test, a_server_that_closes_midway_is_an_error) {
  EXPECT_FALSE(ask({}));
  EXPECT_FALSE(ask({"HTTP/1.1 200 OK\r\nContent-Le"}));
  EXPECT_FALSE(ask({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}));
  EXPECT_FALSE(ask({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf"}));
}

TEST_F(connection_test, garbage_is_an_error) {
  EXPECT_FALSE(ask({"\x16\x03\x01 rubbish\r\n\r\n"}));
  EXPECT_FALSE(ask({"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x')}));
}

TEST_F(connection_test, bodies_are_bounded) {
  EXPECT_FALSE(ask({"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}, true, {.deadline = 5s, .body_bytes = 999}));
  EXPECT_TRUE(
      ask({"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "a", "bc"}, true, {.deadline = 5s, .body_bytes = 3}));
}

TEST_F(connection_test, chunks_may_be_split_anywhere) {
  std::vector<std::string> pieces;
  for (const char c :
       std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"))
    pieces.emplace_back(1, c);
  const auto r = ask(std::move(pieces), true);
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->body, "abcde");
  EXPECT_TRUE(connection_->usable());
}

TEST_F(connection_test, connection_close_is_honoured) {
  const auto r = ask({"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"});
  ASSERT_TRUE(r);
  EXPECT_FALSE(connection_->usable());
}

TEST_F(connection_test, interim_answers_are_passed_over) {
  const std::string interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  const auto r = ask({interim + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"}, true);
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->status, 200U);
  EXPECT_EQ(r->body, "hi");
  EXPECT_EQ(r->header("Link"), "");
  EXPECT_TRUE(connection_->usable());
  std::string endless;
  for (int i = 0; i < 1000; ++i) endless += interim;
  EXPECT_FALSE(ask({endless}, true));
}

TEST_F(connection_test, an_unrequested_answer_is_not_the_next_ones) {
  const auto r =
      ask({"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n"}, true);
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->status, 200U);
  EXPECT_FALSE(connection_->usable());
  EXPECT_EQ(loop_.run(connection_->exchange({}, {})).error().code, std::errc::not_connected);
}

// The answer to an abandoned exchange must not be taken for the answer to the next one.
TEST_F(connection_test, an_exchange_that_was_cut_short_leaves_nothing_usable) {
  auto listener = support::listen_on_loopback();
  loop_.spawn(misbehave(std::move(listener.fd), {}, true));
  connection_.emplace(loop_.run(connection::open({.host = "127.0.0.1", .port = listener.port}, 5s)).value());
  EXPECT_TRUE(connection_->usable());
  EXPECT_EQ(loop_.run(async::within(20ms, connection_->exchange({}, {}))).error().code, std::errc::timed_out);
  EXPECT_FALSE(connection_->usable());
}

TEST_F(connection_test, a_head_request_has_no_body_to_wait_for) {
  auto listener = support::listen_on_loopback();
  loop_.spawn(misbehave(std::move(listener.fd), {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"}, true));
  connection_.emplace(loop_.run(connection::open({.host = "127.0.0.1", .port = listener.port}, 5s)).value());
  const auto r = loop_.run(connection_->exchange({.method = "HEAD"}, {.body_bytes = 5}));
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->header("Content-Length"), "10");
  EXPECT_TRUE(connection_->usable());
}

// A name with two addresses, in a mount namespace whose hosts file has it.
base::result<> connect_by_name(std::uint16_t port, const std::string& hosts) {
  base::result<> done = base::fail("no namespace");
  std::jthread([&] {
    if (::unshare(CLONE_FS | CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(hosts.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) != 0)
      return;
    support::event_loop loop;
    const auto opened = loop.run(connection::open({.host = "two.test", .port = port}, 4s));
    done = opened ? base::result<>{} : std::unexpected(opened.error());
  }).join();
  return done;
}

TEST_F(connection_test, an_address_that_never_answers_leaves_time_for_the_next) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto silent = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
  ASSERT_EQ(::listen(silent.get(), 0), 0);
  const auto first = support::local_endpoint(silent.get());
  const auto second = support::bound_socket(SOCK_STREAM, {net::address::v4(127, 0, 0, 9), first.port});
  const auto at = net::to_sockaddr(first);
  std::vector<base::unique_fd> queued;
  for (int i = 0; i < 4; ++i) {
    queued.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(queued.back().get(), at.get(), at.size);
  }
  const support::temp_dir directory;
  std::ofstream(directory / "hosts") << "127.0.0.1 two.test\n127.0.0.9 two.test\n";
  const auto begin = std::chrono::steady_clock::now();
  const auto connected = connect_by_name(first.port, (directory / "hosts").string());
  EXPECT_TRUE(connected) << connected.error().message();
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 1s) << "the silent address was not the first";
}

}  // namespace
}  // namespace http
