#include "netstack/stack/destination.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace netstack {
namespace {

ipv4::address ip(std::string_view text) { return ipv4::from_net(net::address::parse(text).value()); }

destination_kind kind_of(std::string_view address, const stack_settings& settings = {}) {
  return look_up(settings, ip(address)).kind;
}

TEST(destination, the_gateway_and_the_hosts_alias) {
  const auto own = look_up({}, ip("192.168.127.1"));
  EXPECT_EQ(own.kind, destination_kind::gateway);
  EXPECT_EQ(own.to, ip("192.168.127.1"));
  EXPECT_FALSE(own.translated);
  const auto host = look_up({}, ip("192.168.127.254"));
  EXPECT_EQ(host.kind, destination_kind::host);
  EXPECT_EQ(host.to, ip("127.0.0.1"));
  EXPECT_TRUE(host.translated);
}

TEST(destination, what_is_outside_is_the_hosts_to_reach) {
  for (const auto* address : {"198.51.100.7", "10.0.0.1", "192.168.126.255", "192.168.128.0", "1.0.0.0",
                              "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0", "223.255.255.255"}) {
    const auto found = look_up({}, ip(address));
    EXPECT_EQ(found.kind, destination_kind::host) << address;
    EXPECT_EQ(found.to, ip(address));
    EXPECT_FALSE(found.translated);
  }
}

TEST(destination, addresses_that_mean_no_host_or_the_host_itself_are_forbidden) {
  for (const auto* address : {"0.0.0.0", "0.255.255.255", "127.0.0.1", "127.255.255.255", "169.254.0.0",
                              "169.254.169.254", "240.0.0.1", "255.255.255.254"})
    EXPECT_EQ(kind_of(address), destination_kind::forbidden) << address;
}

TEST(destination, groups_of_every_kind) {
  for (const auto* address : {"255.255.255.255", "192.168.127.255", "192.168.127.0", "224.0.0.0", "239.255.255.255"})
    EXPECT_EQ(kind_of(address), destination_kind::group) << address;
}

TEST(destination, other_addresses_of_the_subnet_are_neighbours) {
  for (const auto* address : {"192.168.127.2", "192.168.127.100", "192.168.127.253"})
    EXPECT_EQ(kind_of(address), destination_kind::neighbour) << address;
}

// What the nat table names is allowed, wherever it lies and leads.
TEST(destination, the_nat_table_comes_first) {
  stack_settings settings;
  settings.nat = {{ip("169.254.169.254"), ip("10.0.0.9")}, {ip("192.168.127.7"), ip("127.0.0.1")}};
  EXPECT_EQ(look_up(settings, ip("169.254.169.254")).to, ip("10.0.0.9"));
  EXPECT_EQ(look_up(settings, ip("192.168.127.7")).to, ip("127.0.0.1"));
  EXPECT_EQ(kind_of("192.168.127.254", settings), destination_kind::neighbour) << "the default is replaced";
  EXPECT_TRUE(is_own_address(settings, ip("192.168.127.7")));
  EXPECT_FALSE(is_own_address(settings, ip("169.254.169.254"))) << "no ARP for what lies outside of the subnet";
  EXPECT_FALSE(is_own_address(settings, ip("192.168.127.254")));
}

TEST(destination, the_subnet_moves_everything) {
  stack_settings settings;
  settings.subnet = {net::address::v4(10, 1, 0, 0), 16};
  settings.nat.clear();
  EXPECT_EQ(kind_of("10.1.0.1", settings), destination_kind::gateway);
  EXPECT_EQ(kind_of("10.1.255.255", settings), destination_kind::group);
  EXPECT_EQ(kind_of("10.1.0.255", settings), destination_kind::neighbour);
  EXPECT_EQ(kind_of("192.168.127.1", settings), destination_kind::host);
  EXPECT_TRUE(is_in_subnet(settings, ip("10.1.200.1")));
  EXPECT_FALSE(is_in_subnet(settings, ip("10.2.0.1")));
  EXPECT_TRUE(is_own_address(settings, ip("10.1.0.1")));
}

}  // namespace
}  // namespace netstack
