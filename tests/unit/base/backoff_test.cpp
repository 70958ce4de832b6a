#include "base/backoff.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

using std::chrono::milliseconds;

TEST(backoff, doubles_up_to_the_cap) {
  const backoff b{milliseconds(50), milliseconds(1000), 0.0};
  EXPECT_EQ(b.delay(0, 0), milliseconds(0));
  EXPECT_EQ(b.delay(1, 0), milliseconds(50));
  EXPECT_EQ(b.delay(2, 0), milliseconds(100));
  EXPECT_EQ(b.delay(6, 0), milliseconds(1000));
  EXPECT_EQ(b.delay(4000000000, 0), milliseconds(1000));
}

TEST(backoff, jitter_shortens_by_at_most_its_share) {
  const backoff b{milliseconds(100), milliseconds(100), 0.5};
  EXPECT_EQ(b.delay(1, 0), milliseconds(100));
  EXPECT_GE(b.delay(1, 0xffffffff), milliseconds(50));
  EXPECT_LT(b.delay(1, 0xffffffff), milliseconds(52));
}

}  // namespace
}  // namespace base
