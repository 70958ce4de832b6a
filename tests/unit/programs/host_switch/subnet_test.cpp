#include "programs/host_switch/subnet.hpp"

#include <gtest/gtest.h>

namespace host_switch {
namespace {

net::address ip(const char* text) { return *net::address::parse(text); }

TEST(subnet, gateway_is_the_first_address) {
  EXPECT_EQ(subnet::parse("192.168.127.0/24")->gateway(), ip("192.168.127.1"));
  EXPECT_EQ(subnet::parse("192.168.127.99/24")->gateway(), ip("192.168.127.1"));
  EXPECT_EQ(subnet::parse("10.1.2.3/8")->gateway(), ip("10.0.0.1"));
  EXPECT_EQ(subnet::parse("10.1.2.7/30")->gateway(), ip("10.1.2.5"));
  EXPECT_EQ(subnet::parse("10.1.2.3/8")->to_string(), "10.0.0.0/8");
}

TEST(subnet, contains_what_a_machine_can_have) {
  const auto net = *subnet::parse("10.1.2.4/30");
  EXPECT_TRUE(net.contains(ip("10.1.2.5")));
  EXPECT_TRUE(net.contains(ip("10.1.2.6")));
  EXPECT_TRUE(net.contains(ip("::ffff:10.1.2.6"))) << "the same address";
  for (const auto* other : {"10.1.2.4", "10.1.2.7", "10.1.2.8", "10.1.2.3", "0.0.0.0", "::", "fe80::1"})
    EXPECT_FALSE(net.contains(ip(other))) << other;
}

TEST(subnet, the_host_alias_is_number254) {
  EXPECT_TRUE(subnet::parse("192.168.127.0/24")->is_host_alias(ip("192.168.127.254")));
  EXPECT_TRUE(subnet::parse("10.1.0.0/16")->is_host_alias(ip("10.1.0.254")));
  EXPECT_FALSE(subnet::parse("10.1.0.0/16")->is_host_alias(ip("10.1.255.254")));
  EXPECT_FALSE(subnet::parse("10.1.2.4/30")->is_host_alias(ip("10.1.2.6"))) << "the VM itself";
}

TEST(subnet, refuses_addresses_that_no_machine_has) {
  for (const auto* text : {"127.0.0.0/8", "127.1.2.0/24", "0.0.0.0/8", "0.1.0.0/16", "224.0.0.0/4", "239.1.2.0/24",
                           "240.0.0.0/8", "255.255.255.0/24", "169.254.0.0/16", "169.254.7.0/24", "64.0.0.0/2"})
    EXPECT_FALSE(subnet::parse(text)) << text;
  for (const auto* text : {"126.0.0.0/8", "128.0.0.0/8", "1.0.0.0/8", "169.253.0.0/16", "223.255.255.0/24"})
    EXPECT_TRUE(subnet::parse(text)) << text;
}

TEST(subnet, refuses_other_texts) {
  for (const auto* text : {"", "192.168.127.0", "192.168.127.0/", "192.168.127.0/0", "192.168.127.0/31", "fe80::/64",
                           "192.168.127.0/24x", "x/24"})
    EXPECT_FALSE(subnet::parse(text)) << text;
}

}  // namespace
}  // namespace host_switch
