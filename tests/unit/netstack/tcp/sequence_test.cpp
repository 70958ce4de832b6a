#include "netstack/tcp/sequence.hpp"

#include <gtest/gtest.h>

namespace netstack::tcp {
namespace {

TEST(sequence, compares_across_the_wrap) {
  const sequence end{0xffff'fff0};
  EXPECT_LT(end, end + 0x20);
  EXPECT_GT(end + 0x20, end);
  EXPECT_EQ((end + 0x20) - end, 0x20);
  EXPECT_EQ(end - (end + 0x20), -0x20);
  EXPECT_EQ((end + 0x20).value, 0x10U);
  EXPECT_LE(end, end);
}

TEST(sequence, half_the_space_is_the_horizon) {
  const sequence zero{0};
  EXPECT_LT(zero, zero + 0x7fff'ffff);
  EXPECT_GT(zero, zero + 0x8000'0001);
}

}  // namespace
}  // namespace netstack::tcp
