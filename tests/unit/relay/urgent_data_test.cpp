// Urgent bytes, as Oracle's clients and telnet send them, and connections to themselves.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <fstream>
#include <thread>
#include <utility>

#include "relay/listener_set.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using support::accept_one;
using support::connected_socket;
using support::eventually;
using support::read_exactly;
using support::send_all;

constexpr auto loopback = net::address::loopback_v4();

class urgent_data : public testing::Test {
 protected:
  void SetUp() override {
    const net::endpoint listen{loopback, support::free_port()};
    ASSERT_TRUE(
        set_.add({.protocol = net::protocol::tcp, .listen = listen, .target = support::local_endpoint(target_.get())}));
    client_ = connected_socket(SOCK_STREAM, listen);
    server_ = accept_one(target_.get());
    set_inline(client_), set_inline(server_);
  }
  static void set_inline(const base::unique_fd& fd) {
    const int one = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_OOBINLINE, &one, sizeof one);
  }
  static void send_urgent(const base::unique_fd& to, char byte) {
    ASSERT_EQ(::send(to.get(), &byte, 1, MSG_OOB | MSG_NOSIGNAL), 1);
  }
  static bool at_mark(const base::unique_fd& fd) { return ::sockatmark(fd.get()) == 1; }

  base::unique_fd target_ = support::bound_socket(SOCK_STREAM, {loopback, 0}), client_, server_;
  listener_set set_;
};

TEST_F(urgent_data, arrives_at_its_place_with_its_mark_both_ways) {
  for (const auto& [from, to] : {std::pair(&client_, &server_), std::pair(&server_, &client_)}) {
    send_all(from->get(), "before");
    send_urgent(*from, '!');
    send_all(from->get(), "after");
    EXPECT_EQ(read_exactly(to->get(), 6), "before");
    EXPECT_TRUE(eventually([&] { return at_mark(*to); })) << "the mark is lost";
    EXPECT_EQ(read_exactly(to->get(), 6), "!after");
  }
}

TEST_F(urgent_data, alone) {
  send_urgent(client_, '!');
  EXPECT_EQ(read_exactly(server_.get(), 1), "!");
  send_urgent(client_, '?');
  EXPECT_EQ(read_exactly(server_.get(), 1), "?");
}

// Beyond the small buffer the relay splices, and splice(2) stops at the mark.
TEST_F(urgent_data, within_bulk_nothing_is_lost) {
  const std::string bulk(3 << 20, 'x');
  std::jthread writer([&] {
    for (int i = 0; i < 4; ++i) {
      send_all(client_.get(), bulk);
      send_urgent(client_, '!');
    }
    send_all(client_.get(), "end");
    ::shutdown(client_.get(), SHUT_WR);
  });
  const auto got = support::read_all(server_.get());
  EXPECT_EQ(got.size(), 4 * (bulk.size() + 1) + 3);
  EXPECT_EQ(std::ranges::count(got, '!'), 4);
  for (std::size_t i = 1; i <= 4; ++i) EXPECT_EQ(got[i * (bulk.size() + 1) - 1], '!') << i;
}

TEST_F(urgent_data, to_a_slow_reader_arrives) {
  const std::string chunk(1 << 16, 'x');
  std::size_t sent = 0;
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  for (int idle = 0; idle < 20;) {
    const auto took = ::send(client_.get(), chunk.data(), chunk.size(), flags);
    sent += took > 0 ? static_cast<std::size_t>(took) : 0;
    idle = took > 0 ? 0 : idle + 1;
    if (took <= 0) ::poll(nullptr, 0, 2);
  }
  std::jthread writer([&] {
    send_urgent(client_, '!');
    ::shutdown(client_.get(), SHUT_WR);
  });
  const auto got = support::read_all(server_.get());
  EXPECT_EQ(got.size(), sent + 1);
  EXPECT_EQ(got.back(), '!');
}

// With one port to choose from, a connection to that port takes it as its source.
TEST(self_connect, is_a_refusal) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("self");
  const net::endpoint itself{loopback, 40'404};
  place.run([&] {
    std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "40404 40404";
    const auto raw = connected_socket(SOCK_STREAM, itself);
    ASSERT_EQ(support::local_endpoint(raw.get()), itself) << "the kernel did not do what this test is about";
    const linger reset{1, 0};  // an orderly end would keep the port for a minute
    ::setsockopt(raw.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  });
  const auto toward = place.run([&] { return dial(net::to_sockaddr(itself)); });
  ASSERT_FALSE(toward);
  EXPECT_EQ(toward.error().code, std::errc::connection_refused);
  EXPECT_NO_THROW(place.run([&] { support::bound_socket(SOCK_STREAM, itself); })) << "its server cannot have the port";
}

// The client would get its own datagrams as answers.
TEST(self_connect, of_a_udp_flow_is_a_refusal) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("self");
  const net::endpoint itself{loopback, 40'404};
  std::error_code why;
  place.run([&] {
    std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "40404 40404";
    const auto flow = open_flow(itself);
    if (!flow) why = flow.error().code;
  });
  EXPECT_EQ(why, std::errc::connection_refused);
}

}  // namespace
}  // namespace relay
