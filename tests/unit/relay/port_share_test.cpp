#include "relay/port_share.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace relay {
namespace {

constexpr auto a = net::address::v4(192, 0, 2, 1);
constexpr auto b = net::address::v4(192, 0, 2, 2);

class port_shares : public testing::Test {
 protected:
  std::shared_ptr<port_share> port() { return std::make_shared<port_share>(budget_); }
  static std::vector<connection_ticket> flood(port_share& at, const net::address& client) {
    std::vector<connection_ticket> taken;
    while (auto ticket = at.admit(client)) taken.push_back(std::move(ticket));
    return taken;
  }
  descriptor_budget budget_{1'024};
  std::size_t all_ = budget_.capacity(descriptor_use::connection) / 2;
};

TEST_F(port_shares, a_client_takes_a_third_and_leaves_the_port_to_others) {
  const auto p = port();
  const auto greedy = flood(*p, a);
  EXPECT_LE(greedy.size(), all_ / 3 + 1);
  EXPECT_GE(flood(*p, b).size(), all_ / 16);
}

TEST_F(port_shares, a_port_with_many_clients_leaves_half_to_other_ports) {
  const auto p = port(), other = port();
  std::vector<connection_ticket> taken;
  for (unsigned i = 0; i < 4'000; ++i) {
    const auto client = net::address::v4(10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i));
    if (auto ticket = p->admit(client)) taken.push_back(std::move(ticket));
  }
  EXPECT_LE(taken.size(), all_ / 2 + 1);
  EXPECT_GE(flood(*other, a).size(), all_ / 10);
}

TEST_F(port_shares, a_port_without_connections_gets_one_however_many_are_flooded) {
  std::vector<std::shared_ptr<port_share>> ports;
  std::vector<std::vector<connection_ticket>> taken;
  for (int i = 0; i < 20; ++i) {
    ports.push_back(port());
    taken.push_back(flood(*ports.back(), a));
  }
  EXPECT_TRUE(port()->admit(a));
}

TEST_F(port_shares, what_ends_makes_room) {
  const auto p = port();
  std::size_t first = 0;
  {
    const auto greedy = flood(*p, a);
    first = greedy.size();
    EXPECT_FALSE(p->admit(a));
  }
  EXPECT_EQ(flood(*p, a).size(), first);
}

TEST_F(port_shares, a_connection_outlives_its_listener) {
  auto p = port();
  auto ticket = p->admit(a);
  p.reset();
  EXPECT_TRUE(ticket);
  ticket = {};
  EXPECT_EQ(budget_.available(descriptor_use::connection) / 2, all_);
}

TEST(client_of, all_addresses_of_an_ipv6_network_are_one_client) {
  EXPECT_EQ(client_of(net::address::parse("2001:db8::1").value()),
            client_of(net::address::parse("2001:db8::ffff:1").value()));
  EXPECT_NE(client_of(net::address::parse("2001:db8::1").value()),
            client_of(net::address::parse("2001:db8:0:1::1").value()));
  EXPECT_EQ(client_of(a), a);
}

}  // namespace
}  // namespace relay
