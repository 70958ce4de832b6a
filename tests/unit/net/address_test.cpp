#include "net/address.hpp"

#include <gtest/gtest.h>

#include <string>

namespace net {
namespace {

TEST(address, text_and_back) {
  for (const auto* text : {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "2001:db8::ff"}) {
    const auto parsed = address::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->to_string(), text);
  }
}

TEST(address, what_is_no_numeric_address_is_refused) {
  for (const auto& text : {std::string(""), std::string("localhost"), std::string("1.2.3"), std::string("1.2.3.4.5"),
                           std::string("256.0.0.1"), std::string("[::1]"), std::string("fe80::1%eth0"),
                           std::string(" 1.2.3.4"), std::string("1.2.3.4\0", 8), std::string(100, '1')})
    EXPECT_FALSE(address::parse(text)) << text;
}

TEST(address, a_mapped_one_is_the_v4_address_it_means) {
  const auto mapped = address::parse("::ffff:10.0.0.1");
  ASSERT_TRUE(mapped);
  EXPECT_TRUE(mapped->is_v4());
  EXPECT_EQ(*mapped, address::v4(10, 0, 0, 1));
}

TEST(address, knows_wildcards_and_loopback) {
  EXPECT_TRUE(address::any_v4().is_unspecified());
  EXPECT_TRUE(address::any_v6().is_unspecified());
  EXPECT_NE(address::any_v4(), address::any_v6());
  EXPECT_TRUE(address::v4(127, 9, 9, 9).is_loopback());
  EXPECT_TRUE(address::loopback_v6().is_loopback());
  EXPECT_FALSE(address::v4(10, 0, 0, 1).is_loopback());
  EXPECT_FALSE(address::parse("fe80::1")->is_loopback());
}

TEST(address, v4_comes_before_v6) {
  EXPECT_LT(address::v4(255, 255, 255, 255), address::any_v6());
  EXPECT_LT(address::v4(9, 0, 0, 0), address::v4(10, 0, 0, 0));
}

}  // namespace
}  // namespace net
