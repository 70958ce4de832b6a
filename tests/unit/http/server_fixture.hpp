// server_fixture: a server of a test, which answers with the request, and its clients.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "http/connection.hpp"
#include "http/server.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/loopback_socket.hpp"

namespace http {

inline async::task<> stream_three(stream_writer write) {
  for (const auto* piece : {"one\n", "", "two\n", "three\n"}) co_await write(piece);
}

inline async::task<answer> echo(incoming in) {
  if (in.head.target == "/stream") co_return answer{{200, {}, {}}, stream_three};
  co_return answer{{200, {{"X-Peer", in.peer}}, in.head.method + " " + in.head.target + " " + in.head.body}, {}};
}

class server_test : public testing::Test {
 protected:
  void start(server_limits limits = {}) {
    auto listener = support::listen_on_loopback();
    port_ = listener.port;
    loop_.spawn(serve(std::move(listener.fd), echo, limits));
  }
  connection connect() {
    auto c = loop_.run(connection::open({.host = "127.0.0.1", .port = port_}, std::chrono::seconds(5)));
    EXPECT_TRUE(c) << c.error().message();
    return std::move(*c);
  }
  // Sends raw bytes and returns all bytes until the server closes.
  std::string raw(std::string bytes) { return loop_.run(raw_exchange(port_, std::move(bytes))); }

  static async::task<std::string> raw_exchange(std::uint16_t port, std::string bytes) {
    boost::asio::ip::tcp::socket socket(co_await async::asio::this_coro::executor);
    co_await socket.async_connect({boost::asio::ip::address_v4::loopback(), port}, async::nothrow);
    co_await boost::asio::async_write(socket, boost::asio::buffer(bytes), async::nothrow);
    std::string got;
    co_await boost::asio::async_read(socket, boost::asio::dynamic_buffer(got), async::nothrow);
    co_return got;
  }

  support::event_loop loop_;
  std::uint16_t port_ = 0;
};

}  // namespace http
