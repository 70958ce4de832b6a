#include "net/mac_address.hpp"

#include <gtest/gtest.h>

namespace net {
namespace {

TEST(mac_address, text_and_back) {
  const auto parsed = mac_address::parse("5a:94:EF:e4:0c:ee");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->to_string(), "5a:94:ef:e4:0c:ee");
  EXPECT_FALSE(parsed->is_group());
  EXPECT_TRUE(mac_address::broadcast().is_group());
}

TEST(mac_address, other_text_is_refused) {
  for (const auto* text : {"", "5a:94:ef:e4:0c", "5a:94:ef:e4:0c:ee:", "5a-94-ef-e4-0c-ee", "5a:94:ef:e4:0c:eg",
                           "5a:94:ef:e4:0c:e ", "5a94ef:e4:0c:eeff"})
    EXPECT_FALSE(mac_address::parse(text)) << text;
}

}  // namespace
}  // namespace net
