#include "net/host_address.hpp"

#include <gtest/gtest.h>

namespace net {
namespace {

TEST(host_address, nothing_is_every_address_and_localhost_is_loopback) {
  EXPECT_EQ(parse_host_address(""), address::any_v4());
  EXPECT_EQ(parse_host_address("localhost"), address::loopback_v4());
  EXPECT_EQ(parse_host_address("127.0.0.2"), address::v4(127, 0, 0, 2));
  EXPECT_EQ(parse_host_address("::"), address::any_v6());
}

TEST(host_address, other_names_are_none) {
  for (const auto* text : {" ", "localhost ", "Localhost.", "example.com", "*", "1.2.3", "[::1]"})
    EXPECT_FALSE(parse_host_address(text)) << text;
}

}  // namespace
}  // namespace net
