// What listener_set counts for each of its ports.
#include "relay/port_traffic.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "relay/listener_set.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using net::protocol;
using support::connected_socket;
using support::eventually;
using support::local_endpoint;

constexpr auto loopback = net::address::loopback_v4();

class port_traffic_test : public testing::Test {
 protected:
  void listen(protocol p) {
    const int type = p == protocol::tcp ? SOCK_STREAM : SOCK_DGRAM;
    if (!target_) target_ = support::bound_socket(type, {loopback, 0});
    if (at_.port == 0) at_ = {loopback, support::free_port(type)};
    const auto added = set_.add({.protocol = p, .listen = at_, .target = local_endpoint(target_.get())});
    ASSERT_TRUE(added) << added.error().message();
  }
  [[nodiscard]] port_status now() const {
    const auto all = set_.ports();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? port_status{} : all.front();
  }
  // Whether the port comes to have exactly these.
  [[nodiscard]] bool counts(std::uint64_t connections, std::uint64_t open, std::uint64_t received,
                            std::uint64_t sent) const {
    const bool as_expected = eventually([&] {
      const auto is = now();
      return is.connections == connections && is.open == open && is.received == received && is.sent == sent;
    });
    const auto is = now();
    EXPECT_TRUE(as_expected) << is.connections << " " << is.open << " " << is.received << " " << is.sent;
    return as_expected;
  }

  base::unique_fd target_;
  net::endpoint at_{loopback, 0};
  listener_set set_{{.shards = 2}};
};

TEST_F(port_traffic_test, a_connection_counts_its_bytes_both_ways_copied_and_spliced) {
  listen(protocol::tcp);
  EXPECT_TRUE(counts(0, 0, 0, 0));
  const auto client = connected_socket(SOCK_STREAM, at_);
  const auto server = support::accept_one(target_.get());
  support::send_all(client.get(), "hello");
  EXPECT_EQ(support::read_exactly(server.get(), 5), "hello");
  EXPECT_TRUE(counts(1, 1, 5, 0));
  const std::string there(3'000'001, 'q'), back(5'000'003, 'r');
  {
    const std::jthread sender([&] { support::send_all(client.get(), there); });
    EXPECT_EQ(support::read_exactly(server.get(), there.size()), there);
  }
  EXPECT_TRUE(counts(1, 1, 3'000'006, 0));
  {
    const std::jthread sender([&] { support::send_all(server.get(), back); });
    EXPECT_EQ(support::read_exactly(client.get(), back.size()), back);
  }
  EXPECT_TRUE(counts(1, 1, 3'000'006, 5'000'003));
  ::shutdown(client.get(), SHUT_WR);
  ::shutdown(server.get(), SHUT_WR);
  EXPECT_TRUE(counts(1, 0, 3'000'006, 5'000'003));
}

TEST_F(port_traffic_test, a_client_of_a_udp_port_counts_its_datagrams_both_ways) {
  listen(protocol::udp);
  std::uint64_t bytes = 0;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    const auto client = connected_socket(SOCK_DGRAM, at_);
    for (const std::size_t size : {0UL, 1UL, 1'472UL, 60'000UL}) {
      const std::string text(size, 'q');
      ASSERT_EQ(::send(client.get(), text.data(), size, 0), static_cast<ssize_t>(size));
      std::string got(70'000, '\0');
      net::socket_address from;
      ASSERT_EQ(::recvfrom(target_.get(), got.data(), got.size(), 0, from.get(), &from.size),
                static_cast<ssize_t>(size));
      ::sendto(target_.get(), got.data(), size / 2, 0, from.get(), from.size);
      ASSERT_EQ(::recv(client.get(), got.data(), got.size(), 0), static_cast<ssize_t>(size / 2));
      bytes += size;
    }
    EXPECT_TRUE(counts(number, number, bytes, number * (0 + 0 + 736 + 30'000)));
  }
}

TEST_F(port_traffic_test, a_port_that_is_opened_again_begins_at_zero) {
  listen(protocol::tcp);
  const auto client = connected_socket(SOCK_STREAM, at_);
  const auto server = support::accept_one(target_.get());
  support::send_all(client.get(), "x");
  EXPECT_TRUE(counts(1, 1, 1, 0));
  ASSERT_TRUE(set_.remove(protocol::tcp, at_));
  EXPECT_TRUE(set_.ports().empty());
  listen(protocol::tcp);
  support::send_all(client.get(), "y");
  EXPECT_EQ(support::read_exactly(server.get(), 2), "xy");
  EXPECT_TRUE(counts(0, 0, 0, 0)) << "the connection lives on, and belongs to the former port";
}

}  // namespace
}  // namespace relay
