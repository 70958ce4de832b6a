#include "tests/soak/bounds.hpp"

#include <gtest/gtest.h>

namespace soak {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mebibyte = std::size_t{1} << 20U;
constexpr reading first{10 * mebibyte, 20, 3};

TEST(soak_bounds, a_program_that_uses_as_much_as_at_first_is_within) {
  EXPECT_TRUE(beyond_bounds(first, first, 0).empty());
}

TEST(soak_bounds, each_of_them_is_checked) {
  EXPECT_EQ(beyond_bounds(first, {60 * mebibyte, 20, 3}, 0).size(), 1U);
  EXPECT_EQ(beyond_bounds(first, {10 * mebibyte, 200, 3}, 0).size(), 1U);
  EXPECT_EQ(beyond_bounds(first, {10 * mebibyte, 20, 30}, 0).size(), 1U);
}

TEST(soak_bounds, a_port_may_have_descriptors) {
  EXPECT_TRUE(beyond_bounds(first, {10 * mebibyte, 200, 3}, 100).empty());
}

TEST(soak_bounds, a_log_may_have_lines_for_time_and_for_operations) {
  EXPECT_FALSE(grows_too_fast(60'000, 60s, 40));
  EXPECT_TRUE(grows_too_fast(1'000'000, 60s, 40));
  EXPECT_FALSE(grows_too_fast(1'000'000, 60s, 400));
}

}  // namespace
}  // namespace soak
