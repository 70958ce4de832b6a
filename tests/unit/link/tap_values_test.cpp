#include "link/tap_values.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <utility>

namespace links {
namespace {

TEST(tap_values, a_mac_is_that_of_one_interface) {
  EXPECT_EQ(tap_mac("5A:94:ef:e4:0c:ee").value().to_string(), "5a:94:ef:e4:0c:ee");
  for (const auto* wrong : {"", "x", "5a:94:ef:e4:0c", "00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff"})
    EXPECT_FALSE(tap_mac(wrong)) << wrong;
}

TEST(tap_values, a_name_is_one_that_the_interface_can_have) {
  for (const auto* right : {"eth0", "tap-1.x_y", "a", "fifteen-bytes-x", "veth-rd-nsx", "-x"})
    EXPECT_EQ(tap_name(right).value(), right);
  const std::array<std::pair<std::string_view, std::string_view>, 14> wrong{{
      {"", "the name is empty"},
      {"sixteen-bytes-xy", "longer than 15 bytes"},
      {"a/b", "not the name of an interface"},
      {"a b", "not the name of an interface"},
      {"a:1", "not the name of an interface"},
      {"a\n", "not the name of an interface"},
      {"\x7f", "not the name of an interface"},
      {"\xc3\xa4", "not the name of an interface"},
      {"tap%d", "not the name of an interface"},
      {"..", "not the name of an interface"},
      {"all", "not the name of an interface"},
      {"default", "not the name of an interface"},
      {"lo", "the name of another interface"},
      {"veth-rd-ns", "the name of another interface"},
  }};
  for (const auto& [name, why] : wrong) {
    const auto read = tap_name(name);
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().message(), why) << name;
  }
}

TEST(tap_values, a_subnet_is_ipv4_in_cidr_notation) {
  EXPECT_EQ(tap_subnet("192.168.127.5/24").value(), "192.168.127.0/24");
  for (const auto* wrong : {"", "192.168.127.0", "192.168.127.0/33", "fd00::/8", "192.168.127.0/24 "})
    EXPECT_FALSE(tap_subnet(wrong)) << wrong;
}

TEST(tap_values, numbers_have_limits) {
  EXPECT_EQ(tap_mtu("576").value(), 576);
  EXPECT_EQ(tap_mtu("65520").value(), 65'520);
  for (const auto* wrong : {"", "575", "65521", "65536", "-1", "1500x"}) EXPECT_FALSE(tap_mtu(wrong)) << wrong;
  EXPECT_EQ(tap_queue_length("1").value(), 1);
  EXPECT_EQ(tap_queue_length("100000").value(), 100'000);
  for (const auto* wrong : {"", "0", "100001", "-1", "x"}) EXPECT_FALSE(tap_queue_length(wrong)) << wrong;
}

}  // namespace
}  // namespace links
