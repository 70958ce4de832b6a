// What one client can do to others when descriptors are few: the listeners have a budget of 256.
#include <gtest/gtest.h>

#include <vector>

#include "relay/listener_set.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

using support::connected_socket;
using support::eventually;

constexpr auto loopback = net::address::loopback_v4();

class fairness : public testing::Test {
 protected:
  net::endpoint listen(net::protocol protocol, int target) {
    const auto type = protocol == net::protocol::tcp ? SOCK_STREAM : SOCK_DGRAM;
    const net::endpoint at{loopback, support::free_port(type)};
    const auto added =
        set_.add({.protocol = protocol, .listen = at, .target = support::local_endpoint(target), .dual_stack = false});
    EXPECT_TRUE(added) << added.error().message();
    return at;
  }
  static std::string ask_tcp(const net::endpoint& at, int target) {
    const auto client = connected_socket(SOCK_STREAM, at);
    const auto server = support::accept_one(target);
    support::send_all(client.get(), "ping");
    return support::read_exactly(server.get(), 4);
  }

  descriptor_budget budget_{256};
  listener_set set_{{.shards = 2, .budget = &budget_}};
  base::unique_fd tcp_ = support::bound_socket(SOCK_STREAM, {loopback, 0}),
                  udp_ = support::bound_socket(SOCK_DGRAM, {loopback, 0});
};

TEST_F(fairness, a_udp_client_with_many_sockets_leaves_descriptors_to_tcp_ports) {
  const auto udp = listen(net::protocol::udp, udp_.get());
  const auto tcp = listen(net::protocol::tcp, tcp_.get());
  std::vector<base::unique_fd> clients;
  for (int i = 0; i < 600; ++i) {
    clients.push_back(connected_socket(SOCK_DGRAM, udp));
    ASSERT_EQ(::send(clients.back().get(), "x", 1, 0), 1);
    ASSERT_EQ(::recv(udp_.get(), nullptr, 0, 0), 0) << "flow " << i << " is not served";
  }
  EXPECT_LE(set_.count().flows, budget_.capacity(descriptor_use::flow));
  EXPECT_EQ(ask_tcp(tcp, tcp_.get()), "ping");
}

TEST_F(fairness, a_tcp_port_with_many_connections_leaves_room_for_another) {
  const auto flooded = listen(net::protocol::tcp, tcp_.get());
  const auto other_target = support::bound_socket(SOCK_STREAM, {loopback, 0});
  const auto other = listen(net::protocol::tcp, other_target.get());
  const auto udp = listen(net::protocol::udp, udp_.get());
  const linger reset{1, 0};
  std::vector<base::unique_fd> clients;
  for (int i = 0; i < 400; ++i) clients.push_back(connected_socket(SOCK_STREAM, flooded));
  ASSERT_TRUE(eventually([&] { return set_.count().accepted + set_.count().refused == 400; }));
  EXPECT_GT(set_.count().refused, 0U);
  EXPECT_EQ(ask_tcp(other, other_target.get()), "ping");
  const auto client = connected_socket(SOCK_DGRAM, udp);
  ASSERT_EQ(::send(client.get(), "x", 1, 0), 1);
  EXPECT_EQ(::recv(udp_.get(), nullptr, 0, 0), 0);
  for (const auto& c : clients) ::setsockopt(c.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  clients.clear();
  ASSERT_TRUE(eventually([&] { return set_.count().connections <= 1; }));
  const auto before = set_.count().accepted.load();
  const auto again = connected_socket(SOCK_STREAM, flooded);
  EXPECT_TRUE(eventually([&] { return set_.count().accepted == before + 1; })) << "it may connect again";
}

TEST_F(fairness, many_listeners_leave_descriptors_to_connections) {
  const auto tcp = listen(net::protocol::tcp, tcp_.get());
  std::error_code refused;
  for (std::uint16_t i = 0; !refused && i < 300; ++i) {
    const auto added = set_.add({.protocol = net::protocol::tcp,
                                 .listen = {net::address::v4(127, 99, 1, 1), static_cast<std::uint16_t>(20'000 + i)},
                                 .target = {loopback, 9}});
    if (!added) refused = added.error().code;
  }
  EXPECT_EQ(refused, std::errc::too_many_files_open);
  EXPECT_EQ(ask_tcp(tcp, tcp_.get()), "ping");
}

}  // namespace
}  // namespace relay
