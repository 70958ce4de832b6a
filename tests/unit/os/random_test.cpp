#include "os/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace os {
namespace {

// More than one call of the kernel's gives at a time (256 bytes are never cut short).
TEST(random, fills_all_bytes_and_differs_each_time) {
  for (const std::size_t size : {16UL, 100'000UL}) {
    std::vector<std::uint8_t> one(size), other(size);
    ASSERT_TRUE(fill_with_random(one));
    ASSERT_TRUE(fill_with_random(other));
    EXPECT_NE(one, other);
    EXPECT_TRUE(std::ranges::any_of(std::span(one).last(16), [](auto byte) { return byte != 0; }));
  }
}

TEST(random, no_bytes_are_no_error) { EXPECT_TRUE(fill_with_random({})); }

}  // namespace
}  // namespace os
