#include "link/tap_values.hpp"

#include <gtest/gtest.h>

namespace links {
namespace {

TEST(tap_values, a_mac_is_that_of_one_interface) {
  EXPECT_EQ(tap_mac("5A:94:ef:e4:0c:ee").value().to_string(), "5a:94:ef:e4:0c:ee");
  for (const auto* wrong : {"", "x", "5a:94:ef:e4:0c", "00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff"})
    EXPECT_FALSE(tap_mac(wrong)) << wrong;
}

TEST(tap_values, a_subnet_is_ipv4_in_cidr_notation) {
  EXPECT_EQ(tap_subnet("192.168.127.5/24").value(), "192.168.127.0/24");
  for (const auto* wrong : {"", "192.168.127.0", "192.168.127.0/33", "fd00::/8", "192.168.127.0/24 "})
    EXPECT_FALSE(tap_subnet(wrong)) << wrong;
}

TEST(tap_values, numbers_have_limits) {
  EXPECT_EQ(tap_mtu("576").value(), 576);
  EXPECT_EQ(tap_mtu("65521").value(), 65'521);
  for (const auto* wrong : {"", "575", "65522", "65536", "-1", "1500x"}) EXPECT_FALSE(tap_mtu(wrong)) << wrong;
  EXPECT_EQ(tap_queue_length("1").value(), 1);
  EXPECT_EQ(tap_queue_length("100000").value(), 100'000);
  for (const auto* wrong : {"", "0", "100001", "-1", "x"}) EXPECT_FALSE(tap_queue_length(wrong)) << wrong;
}

}  // namespace
}  // namespace links
