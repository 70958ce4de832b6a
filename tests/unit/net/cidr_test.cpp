#include "net/cidr.hpp"

#include <gtest/gtest.h>

namespace net {
namespace {

address ip(const char* text) { return address::parse(text).value(); }
cidr network(const char* text) { return cidr::parse(text).value(); }

TEST(cidr, is_the_network_of_an_address) {
  EXPECT_EQ(cidr(ip("192.168.127.2"), 24).network(), ip("192.168.127.0"));
  EXPECT_EQ(cidr(ip("172.26.113.5"), 20).network(), ip("172.26.112.0"));
  EXPECT_EQ(cidr(ip("10.255.255.255"), 9).network(), ip("10.128.0.0"));
  EXPECT_EQ(cidr(ip("10.1.2.3"), 32).network(), ip("10.1.2.3"));
  EXPECT_EQ(cidr(ip("10.1.2.3"), 0).network(), ip("0.0.0.0"));
  EXPECT_EQ(cidr(ip("fd12:3456::1"), 8).network(), ip("fd00::"));
}

TEST(cidr, an_address_has_no_more_bits_than_its_family) {
  EXPECT_EQ(cidr(ip("10.1.2.3"), 128).prefix_length(), 32U);
  EXPECT_EQ(cidr(ip("::1"), 200).prefix_length(), 128U);
}

TEST(cidr, reads_and_writes_both_families) {
  EXPECT_EQ(network("192.168.127.0/24").to_string(), "192.168.127.0/24");
  EXPECT_EQ(network("192.168.127.9/24").to_string(), "192.168.127.0/24");
  EXPECT_EQ(network("fd00::1/8").to_string(), "fd00::/8");
  EXPECT_EQ(network("0.0.0.0/0").to_string(), "0.0.0.0/0");
}

TEST(cidr, refuses_the_rest) {
  for (const auto* bad :
       {"", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "x/8", "10.0.0.0/8 "})
    EXPECT_FALSE(cidr::parse(bad)) << bad;
}

TEST(cidr, contains_addresses_of_its_family_alone) {
  EXPECT_TRUE(network("172.16.0.0/12").contains(ip("172.31.255.255")));
  EXPECT_FALSE(network("172.16.0.0/12").contains(ip("172.32.0.0")));
  EXPECT_TRUE(network("0.0.0.0/0").contains(ip("255.255.255.255")));
  EXPECT_FALSE(network("0.0.0.0/0").contains(ip("::1")));
  EXPECT_TRUE(network("fd00::/8").contains(ip("fdff::1")));
  EXPECT_FALSE(network("fd00::/8").contains(ip("fe00::1")));
  EXPECT_FALSE(network("::/0").contains(ip("10.0.0.1")));
}

TEST(cidr, counts_from_its_first_address) {
  EXPECT_EQ(network("192.168.127.0/24").at(1), ip("192.168.127.1"));
  EXPECT_EQ(network("10.0.0.0/8").at(256), ip("10.0.1.0"));
  EXPECT_EQ(network("192.168.127.0/24").at(255), ip("192.168.127.255"));
  EXPECT_EQ(network("192.168.127.0/24").at(256), std::nullopt);
  EXPECT_EQ(network("0.0.0.0/0").at(0xffffffffU), ip("255.255.255.255"));
  EXPECT_EQ(network("255.255.255.255/32").at(1), std::nullopt);
  EXPECT_EQ(network("fd00::/64").at(0x10001), ip("fd00::1:1"));
}

TEST(cidr, knows_its_last_address) {
  EXPECT_EQ(network("192.168.127.0/24").last(), ip("192.168.127.255"));
  EXPECT_EQ(network("172.26.112.0/20").last(), ip("172.26.127.255"));
  EXPECT_EQ(network("10.0.0.1/32").last(), ip("10.0.0.1"));
  EXPECT_EQ(network("fd00::/120").last(), ip("fd00::ff"));
}

}  // namespace
}  // namespace net
