#include "http/server.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "http/connection.hpp"
#include "io/timeout.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"
#include "tests/support/socket_peer.hpp"

namespace http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

io::task<> stream_three(stream_writer write) {
  for (const auto* piece : {"one\n", "", "two\n", "three\n"}) co_await write(piece);
}

io::task<answer> echo(incoming in) {
  if (in.head.target == "/stream") co_return answer{{200, {}, {}}, stream_three};
  co_return answer{{200, {{"X-Peer", in.peer}}, in.head.method + " " + in.head.target + " " + in.head.body}, {}};
}

class Server : public testing::Test {
 protected:
  void start(server_limits limits = {}) {
    auto listener = support::listen_on_loopback();
    port_ = listener.port;
    loop_.spawn(serve(std::move(listener.fd), echo, limits));
  }
  connection connect() {
    auto c = loop_.run(connection::open({.host = "127.0.0.1", .port = port_}, 5s));
    EXPECT_TRUE(c) << c.error().message();
    return std::move(*c);
  }
  // Sends raw bytes and answers everything until the server closes.
  std::string raw(std::string bytes) { return loop_.run(raw_exchange(port_, std::move(bytes))); }

  static io::task<std::string> raw_exchange(std::uint16_t port, std::string bytes) {
    boost::asio::ip::tcp::socket socket(co_await io::asio::this_coro::executor);
    co_await socket.async_connect({boost::asio::ip::address_v4::loopback(), port}, io::nothrow);
    co_await boost::asio::async_write(socket, boost::asio::buffer(bytes), io::nothrow);
    std::string got;
    co_await boost::asio::async_read(socket, boost::asio::dynamic_buffer(got), io::nothrow);
    co_return got;
  }

  support::event_loop loop_;
  std::uint16_t port_ = 0;
};

TEST_F(Server, AnswersSeveralRequestsOverOneConnection) {
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

TEST_F(Server, StreamsPieceByPiece) {
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

TEST_F(Server, ClosesIdleConnectionsAndTheClientNotices) {
  start({.idle = 50ms});
  auto c = connect();
  ASSERT_TRUE(loop_.run(c.exchange({}, {})));
  bool closed = false;
  auto wait = [](connection& watched, bool& flag) -> io::task<> {
    co_await watched.closed();
    flag = true;
  };
  loop_.spawn(wait(c, closed));
  EXPECT_TRUE(loop_.run_until([&] { return closed; }));
  EXPECT_FALSE(c.usable());
  EXPECT_EQ(loop_.run(c.exchange({}, {})).error().code, std::errc::not_connected);
}

TEST_F(Server, AnswersBadRequestsAndCloses) {
  start({.header_bytes = 1024, .body_bytes = 16});
  EXPECT_THAT(raw("rubbish\r\n\r\n"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(raw("GET / HTTP/1.1\r\nA: " + std::string(5000, 'x') + "\r\n\r\n"), HasSubstr(" 431 "));
  EXPECT_THAT(raw("POST / HTTP/1.1\r\nContent-Length: 17\r\n\r\n"), HasSubstr(" 413 "));
}

TEST_F(Server, TellsAClientThatAsksToContinue) {
  start();
  EXPECT_THAT(raw("POST /y HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"),
              testing::AllOf(HasSubstr("100 Continue"), HasSubstr("POST /y hi")));
}

TEST_F(Server, AClientThatSendsNothingHoldsItsSlotOnlyForTheIdleTime) {
  start({.connections = 1, .idle = 50ms});
  auto silent = connect();
  auto waiting = connect();
  const auto r = loop_.run(waiting.exchange({.target = "/next"}, {}));
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->body, "GET /next ");
}

TEST_F(Server, RequestsThatComeAtOnceAreAnsweredInOrder) {
  start();
  EXPECT_THAT(raw("GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\nConnection: "
                  "close\r\n\r\n"),
              testing::ContainsRegex("GET /1 (.|\n)*POST /2 x(.|\n)*GET /3 "));
}

TEST_F(Server, AClientThatLeavesMidwayFreesItsSlot) {
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

TEST_F(Server, OutOfDescriptorsItGoesOnWithThoseThereAreAndAcceptsAgainLater) {
  start();
  auto served = connect();
  ASSERT_TRUE(loop_.run(served.exchange({}, {})));
  const auto waiting = support::connected_socket(SOCK_STREAM, {net::address::loopback_v4(), port_});
  {
    const descriptor_limit none_left(2);
    loop_.run_until([] { return false; }, 50ms);
    EXPECT_TRUE(loop_.run(served.exchange({}, {})));
  }
  support::send_all(waiting.get(), "GET /late HTTP/1.1\r\n\r\n");
  char answer = 0;
  EXPECT_TRUE(loop_.run_until([&] { return ::recv(waiting.get(), &answer, 1, MSG_DONTWAIT | MSG_PEEK) == 1; }));
}

TEST_F(Server, ASocketThatCannotAcceptDoesNotHoldUpTheProgram) {
  auto deaf = support::make_socket(SOCK_STREAM, net::address::loopback_v4());
  loop_.spawn(serve(std::move(deaf), echo));
  loop_.run_until([] { return false; }, 50ms);  // comes back
}

}  // namespace
}  // namespace http
