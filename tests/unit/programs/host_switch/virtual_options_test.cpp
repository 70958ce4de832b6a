#include "programs/host_switch/virtual_options.hpp"

#include <gtest/gtest.h>

namespace host_switch {
namespace {

const subnet network = subnet::parse("192.168.127.0/24").value();

constexpr net::mac_address vm{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};
constexpr netstack::ipv4::address alias{0xc0a8'7ffe}, loopback{0x7f00'0001}, usual{0xc0a8'7f02};

TEST(virtual_options, nat_is_a_pair_of_addresses_or_off) {
  EXPECT_EQ(parse_nat("192.168.127.254=127.0.0.1")->entry.inside, alias);
  EXPECT_EQ(parse_nat("192.168.127.254=127.0.0.1")->entry.host, loopback);
  EXPECT_TRUE(parse_nat("off")->off);
  for (const auto* wrong : {"", "=", "192.168.127.254", "192.168.127.254=", "=127.0.0.1", "a=b", "::1=127.0.0.1",
                            "192.168.127.254=::1", "192.168.127.254=0.0.0.0", "192.168.127.254=224.0.0.1",
                            "127.0.0.1=127.0.0.1", "224.0.0.1=127.0.0.1", "255.255.255.255=127.0.0.1"})
    EXPECT_FALSE(parse_nat(wrong)) << wrong;
}

TEST(virtual_options, a_lease_is_a_mac_and_an_address) {
  const auto lease = parse_lease("5a:94:ef:e4:0c:ee=192.168.127.2");
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->mac, vm);
  EXPECT_EQ(lease->address, usual);
  for (const auto* wrong : {"", "5a:94:ef:e4:0c:ee", "5a:94:ef:e4:0c=192.168.127.2", "01:00:5e:00:00:01=192.168.127.2",
                            "5a:94:ef:e4:0c:ee=::1", "00:00:00:00:00:00=192.168.127.2"})
    EXPECT_FALSE(parse_lease(wrong)) << wrong;
}

TEST(virtual_options, numbers_and_words_have_bounds) {
  EXPECT_EQ(parse_mtu("1500").value(), 1500);
  EXPECT_FALSE(parse_mtu("575"));
  EXPECT_FALSE(parse_mtu("65521"));
  EXPECT_FALSE(parse_mtu("x"));
  EXPECT_EQ(parse_source_address("client").value(), translator::source_address::client);
  EXPECT_FALSE(parse_source_address("Client"));
  EXPECT_FALSE(parse_vm_network("fd00::/8"));
  EXPECT_FALSE(parse_dns_zone("=10.0.0.1"));
}

TEST(virtual_options, by_default_the_vm_has_the_second_address_and_the_host_the_last_but_one) {
  const auto made = virtual_options{}.plane(network).stack;
  ASSERT_EQ(made.leases.size(), 1U);
  EXPECT_EQ(made.leases[0].mac, vm);
  EXPECT_EQ(made.leases[0].address, usual);
  ASSERT_EQ(made.nat.size(), 1U);
  EXPECT_EQ(made.nat[0].inside, alias);
  EXPECT_EQ(made.nat[0].host, loopback);
}

TEST(virtual_options, nat_off_leaves_no_address_of_the_host) {
  virtual_options options;
  options.nat = {parse_nat("off").value()};
  EXPECT_TRUE(options.check(network));
  EXPECT_TRUE(options.plane(network).stack.nat.empty());
}

TEST(virtual_options, a_small_subnet_has_no_alias_of_the_host) {
  EXPECT_TRUE(virtual_options{}.plane(subnet::parse("10.1.2.0/28").value()).stack.nat.empty());
}

TEST(virtual_options, leases_that_cannot_be_given_out_are_refused) {
  const auto check = [](std::vector<const char*> texts) {
    virtual_options options;
    for (const auto* text : texts) options.leases.push_back(parse_lease(text).value());
    return options.check(network).has_value();
  };
  EXPECT_TRUE(check({"5a:94:ef:e4:0c:01=192.168.127.9"}));
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:01=192.168.127.1"}));
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:01=192.168.128.9"}));
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:dd=192.168.127.9"})) << "the gateway's MAC address";
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:01=192.168.127.9", "5a:94:ef:e4:0c:02=192.168.127.9"}));
  EXPECT_FALSE(check({"5a:94:ef:e4:0c:01=192.168.127.9", "5a:94:ef:e4:0c:01=192.168.127.8"}));
}

TEST(virtual_options, nat_cannot_take_an_address_that_a_vm_has) {
  virtual_options options;
  options.leases = {parse_lease("5a:94:ef:e4:0c:01=192.168.127.9").value()};
  options.nat = {parse_nat("192.168.127.9=127.0.0.1").value()};
  EXPECT_FALSE(options.check(network));
  options.nat = {parse_nat("192.168.127.10=127.0.0.1").value(), parse_nat("off").value()};
  EXPECT_FALSE(options.check(network));
  options.nat = {parse_nat("192.168.127.2=127.0.0.1").value()};
  EXPECT_FALSE(options.check(network)) << "the default lease";
  options.nat = {};
  EXPECT_TRUE(options.check(network));
  options.leases = {parse_lease("5a:94:ef:e4:0c:01=192.168.127.254").value()};
  EXPECT_FALSE(options.check(network)) << "the default alias";
}

TEST(virtual_options, nat_cannot_take_the_address_of_the_network_or_of_all_its_machines) {
  const auto check = [](const char* text) {
    virtual_options options;
    options.nat = {parse_nat(text).value()};
    return options.check(network).has_value();
  };
  EXPECT_FALSE(check("192.168.127.0=127.0.0.1"));
  EXPECT_FALSE(check("192.168.127.255=127.0.0.1"));
  EXPECT_FALSE(check("192.168.127.1=127.0.0.1"));
  EXPECT_TRUE(check("10.0.2.2=127.0.0.1")) << "outside the subnet";
}

}  // namespace
}  // namespace host_switch
