#include "async/rest.hpp"

#include <gtest/gtest.h>

namespace async {
namespace {

using namespace std::chrono_literals;

constexpr rest_limits limits{.share = 3, .least = 5ms, .most = 2s};

TEST(rest_test, a_pause_is_a_multiple_of_the_work) { EXPECT_EQ(rest_after(100ms, limits), 300ms); }

TEST(rest_test, short_work_has_the_least_pause) { EXPECT_EQ(rest_after(0ms, limits), 5ms); }

TEST(rest_test, a_suspended_machine_does_not_prolong_the_pause) {
  EXPECT_EQ(rest_after(60s, limits), 2s);
  EXPECT_EQ(rest_after(clock::duration::max(), limits), 2s);
}

}  // namespace
}  // namespace async
