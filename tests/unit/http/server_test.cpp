#include "http/server.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <deque>
#include <fstream>

#include "async/timeout.hpp"
#include "http/connection.hpp"
#include "http/slot_table.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/unit/http/server_fixture.hpp"

namespace http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST_F(server_test, answers_several_requests_over_one_connection) {
  start();
  auto c = connect();
  for (int i = 0; i < 3; ++i) {
    const auto r = loop_.run(c.exchange({.method = "POST", .target = "/x", .body = "body"}, {}));
    ASSERT_TRUE(r) << r.error().message();
    EXPECT_EQ(r->status, 200U);
    EXPECT_EQ(r->body, "POST /x body");
    EXPECT_EQ(r->header("X-Peer"), "127.0.0.1");
    EXPECT_TRUE(c.usable());
  }
}

// Gives a connection that no listening socket accepted, like a network in user space.
class prepared_acceptor final : public os::acceptor {
 public:
  explicit prepared_acceptor(os::accepted first) : first_(std::move(first)) {}
  async::task<os::accepted> accept() override {
    if (first_.fd) co_return std::move(first_);
    co_await async::sleep_for(1h);
    co_return os::accepted{};
  }

 private:
  os::accepted first_;
};

TEST_F(server_test, serves_what_any_acceptor_gives) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  const base::unique_fd client(ends[0]);
  os::accepted first{base::unique_fd(ends[1]), net::endpoint{net::address::v4(192, 168, 127, 2), 4'000}};
  loop_.spawn(serve(std::make_unique<prepared_acceptor>(std::move(first)), echo));
  const std::string request = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ASSERT_EQ(::send(client.get(), request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string got;
  EXPECT_TRUE(loop_.run_until([&] {
    std::array<char, 4'096> piece{};
    const auto count = ::recv(client.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (count > 0) got.append(piece.data(), static_cast<std::size_t>(count));
    return got.contains("GET /x");
  })) << got;
  EXPECT_THAT(got, HasSubstr("X-Peer: 192.168.127.2"));
}

TEST_F(server_test, streams_piece_by_piece) {
  start();
  auto c = connect();
  ASSERT_TRUE(loop_.run(c.open_stream({.target = "/stream"}, {})));
  std::string all;
  while (true) {
    const auto piece = loop_.run(c.read_some());
    ASSERT_TRUE(piece) << piece.error().message();
    if (piece->empty()) break;
    all += *piece;
  }
  EXPECT_EQ(all, "one\ntwo\nthree\n");
  EXPECT_FALSE(c.usable());
}

TEST_F(server_test, closes_idle_connections_and_the_client_notices) {
  start({.idle = 50ms});
  auto c = connect();
  ASSERT_TRUE(loop_.run(c.exchange({}, {})));
  bool closed = false;
  auto wait = [](connection& watched, bool& flag) -> async::task<> {
    co_await watched.closed();
    flag = true;
  };
  loop_.spawn(wait(c, closed));
  EXPECT_TRUE(loop_.run_until([&] { return closed; }));
  EXPECT_FALSE(c.usable());
  EXPECT_EQ(loop_.run(c.exchange({}, {})).error().code, std::errc::not_connected);
}

TEST_F(server_test, an_idle_connection_outlives_the_time_for_a_request) {
  start({.request = 50ms, .idle = 1h});
  auto idle = connect();
  ASSERT_TRUE(loop_.run(idle.exchange({}, {})));
  const auto silent = support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port_});
  char byte = 0;
  ASSERT_TRUE(loop_.run_until([&] { return ::recv(silent.get(), &byte, 1, MSG_DONTWAIT) == 0; }));
  EXPECT_TRUE(loop_.run(idle.exchange({}, {})));
}

TEST_F(server_test, a_request_that_begins_late_arrives_as_quickly_as_the_first) {
  start({.request = 50ms, .idle = 1h});
  const auto slow = support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port_});
  support::send_all(slow.get(), "GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
  std::array<char, 4096> piece{};
  ASSERT_TRUE(
      loop_.run_until([&] { return ::recv(slow.get(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_PEEK) > 0; }));
  support::send_all(slow.get(), "GET /second");
  EXPECT_TRUE(loop_.run_until([&] { return ::recv(slow.get(), piece.data(), piece.size(), MSG_DONTWAIT) == 0; }));
}

TEST_F(server_test, a_client_that_sends_nothing_holds_its_slot_only_for_the_time_of_a_request) {
  start({.connections = 1, .request = 50ms});
  auto silent = connect();
  auto waiting = connect();
  const auto r = loop_.run(waiting.exchange({.target = "/next"}, {}));
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->body, "GET /next ");
}

// Each of these requests has no end; the memory of none may grow with the bytes sent.
TEST_F(server_test, what_never_ends_is_cut_off) {
  start({.header_bytes = 1024, .body_bytes = 16});
  const std::string more(200'000, '0'), post = "POST / HTTP/1.1\r\nHost: a\r\n",
                                        chunked = "Transfer-Encoding: chunked\r\n\r\n";
  const auto refused = testing::ContainsRegex("^(HTTP/1.1 100 Continue\r\n\r\n)?HTTP/1.1 4[0-9][0-9] ");
  EXPECT_THAT(raw(post + chunked + more), refused) << "the size of a chunk";
  EXPECT_THAT(raw(post + chunked + "1;" + more), refused) << "a chunk's extension";
  EXPECT_THAT(raw(post + chunked + "0\r\nA: " + more), refused) << "a trailer";
  EXPECT_THAT(raw(post + chunked + "f\r\n123456789012345\r\nf\r\n" + more), refused) << "a chunked body";
  EXPECT_THAT(raw(post + "A: " + more), refused) << "a field";
  EXPECT_THAT(raw(post + "A" + more), refused) << "a field's name";
  EXPECT_THAT(raw("POST /" + more), refused) << "a target";
  std::string fields;
  while (fields.size() < more.size()) fields += "A: b\r\n";
  EXPECT_THAT(raw(post + fields), refused) << "fields";
  EXPECT_THAT(raw(more), testing::AnyOf(refused, "")) << "a method";
}

// A client that never stops is not read any further: the kernel's buffers fill, not our memory.
TEST_F(server_test, endless_bytes_are_not_kept) {
  start({.connections = 4, .request = 300ms});
  const auto resident = [] {
    std::ifstream file("/proc/self/statm");
    std::size_t total = 0, pages = 0;
    file >> total >> pages;
    return pages * 4096;
  };
  const std::string junk(1 << 20, '0');
  const auto before = resident();
  for (const auto* head : {"Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1;",
                           "Transfer-Encoding: chunked\r\n\r\n0\r\nA: ", "A: "}) {
    const auto client = support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port_});
    support::send_all(client.get(), std::string("POST / HTTP/1.1\r\nHost: a\r\n") + head);
    const bool closed = loop_.run_until([&] {
      return ::send(client.get(), junk.data(), junk.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN;
    });
    EXPECT_TRUE(closed) << head;
  }
  EXPECT_LT(resident(), before + (16 << 20));
}

TEST_F(server_test, a_standing_connection_is_not_the_victim_of_newcomers) {
  start({.connections = 8});
  auto standing = connect();
  ASSERT_TRUE(loop_.run(standing.exchange({}, {})));
  std::vector<base::unique_fd> silent;
  for (int i = 0; i < 40; ++i) {
    silent.push_back(support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port_}));
    if (i % 5 == 0) loop_.run_until([] { return false; }, slot_table::turn);
  }
  auto newcomer = connect();
  const auto answered = loop_.run(newcomer.exchange({.target = "/new"}, {}));
  ASSERT_TRUE(answered) << answered.error().message();
  EXPECT_EQ(answered->body, "GET /new ");
  EXPECT_TRUE(standing.usable());
  EXPECT_TRUE(loop_.run(standing.exchange({}, {})));
}

// Uses its connection again and again, and opens a new one when it loses it.
async::task<> hold_a_place(std::uint16_t port) {
  while (true) {
    auto c = co_await connection::open({.host = "127.0.0.1", .port = port}, 5s);
    while (c && c->usable()) {
      if (!co_await async::within(5s, c->exchange({}, {}))) break;
      co_await async::sleep_for(200ms);
    }
    co_await async::sleep_for(5ms);
  }
}

// Connects again and again, and sends no request.
async::task<> connect_without_end(std::uint16_t port) {
  using boost::asio::ip::tcp;
  const auto where = co_await async::asio::this_coro::executor;
  std::deque<tcp::socket> open;
  while (true) {
    open.emplace_back(where);
    co_await open.back().async_connect({boost::asio::ip::address_v4::loopback(), port}, async::nothrow);
    if (open.size() > 64) open.pop_front();
    co_await async::sleep_for(1ms);
  }
}

TEST_F(server_test, an_active_client_keeps_no_other_one_at_its_address_from_being_served_and_standing) {
  start({.connections = 64});
  for (int i = 0; i < 48; ++i) loop_.spawn(hold_a_place(port_));
  loop_.spawn(connect_without_end(port_));
  loop_.run_until([] { return false; }, 300ms);
  int served = 0, stood = 0;
  for (int round = 0; round < 6; ++round) {
    auto c = connect();
    served += loop_.run(c.exchange({.target = "/1"}, {})) ? 1 : 0;
    stood += c.usable() && loop_.run(c.exchange({.target = "/2"}, {})) ? 1 : 0;
  }
  EXPECT_GE(served, 3);
  EXPECT_GE(stood, 3);
  loop_.stop();
}

async::task<answer> large(incoming) { co_return answer{{200, {}, std::string(4 << 20, 'x')}, {}}; }

TEST_F(server_test, answers_that_are_not_read_make_way_for_those_that_are) {
  auto listener = support::listen_on_loopback();
  port_ = listener.port;
  loop_.spawn(serve(std::move(listener.fd), large, {.unsent_bytes = 9 << 20}));
  std::vector<base::unique_fd> slow;
  for (int i = 0; i < 6; ++i) {
    slow.push_back(support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port_}));
    support::send_all(slow.back().get(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    loop_.settle();
  }
  const auto reads = loop_.run(connect().exchange({}, {}));
  ASSERT_TRUE(reads) << reads.error().message();
  EXPECT_EQ(reads->body.size(), 4U << 20);
  int alive = 0;
  for (const auto& fd : slow) {
    const auto sent = ::send(fd.get(), "x", 1, MSG_NOSIGNAL);
    alive += sent == 1 && ::send(fd.get(), "x", 1, MSG_NOSIGNAL) == 1 ? 1 : 0;
  }
  EXPECT_LE(alive, 2) << "more answers lie around than unsent_bytes allows";
}

TEST_F(server_test, a_stranger_is_closed_unread) {
  auto listener = support::listen_on_loopback();
  port_ = listener.port;
  bool open = false;
  loop_.spawn(
      serve(std::move(listener.fd), echo, {}, [&](const net::address& ip) { return open && ip.is_loopback(); }));
  EXPECT_EQ(raw("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "");
  open = true;
  EXPECT_THAT(raw("GET /in HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), HasSubstr("GET /in "));
}

TEST_F(server_test, a_client_that_leaves_midway_frees_its_slot) {
  start({.connections = 1});
  for (const auto* part : {"", "GET / HT", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"}) {
    const auto client = support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port_});
    support::send_all(client.get(), part);
  }
  const auto r = loop_.run(connect().exchange({.target = "/next"}, {}));
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->body, "GET /next ");
}

// Descriptors up to `highest`, while it lives.
class descriptor_limit {
 public:
  explicit descriptor_limit(int highest) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lowered{static_cast<rlim_t>(highest) + 1, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &lowered);
  }
  descriptor_limit(const descriptor_limit&) = delete;
  descriptor_limit& operator=(const descriptor_limit&) = delete;
  ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(server_test, out_of_descriptors_it_goes_on_with_those_there_are_and_accepts_again_later) {
  start();
  auto served = connect();
  ASSERT_TRUE(loop_.run(served.exchange({}, {})));
  const auto waiting = support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port_});
  {
    const descriptor_limit none_left(2);
    loop_.run_until([] { return false; }, 50ms);
    EXPECT_TRUE(loop_.run(served.exchange({}, {})));
  }
  support::send_all(waiting.get(), "GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
  char answer = 0;
  EXPECT_TRUE(loop_.run_until([&] { return ::recv(waiting.get(), &answer, 1, MSG_DONTWAIT | MSG_PEEK) == 1; }));
}

TEST_F(server_test, a_socket_that_cannot_accept_does_not_hold_up_the_program) {
  auto deaf = support::make_socket(SOCK_STREAM, net::address::loopback_v4());
  loop_.spawn(serve(std::move(deaf), echo));
  loop_.run_until([] { return false; }, 50ms);  // comes back
}

}  // namespace
}  // namespace http
