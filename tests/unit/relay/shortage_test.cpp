#include "relay/shortage.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(shortage, an_episode_begins_once_and_ends_with_quiet) {
  shortage s;
  const shortage::clock::time_point start{};  // also right after the machine has started
  EXPECT_TRUE(s.begins(start));
  EXPECT_FALSE(s.begins(start + std::chrono::milliseconds(50)));
  EXPECT_FALSE(s.begins(start + std::chrono::seconds(9)));
  EXPECT_FALSE(s.begins(start + std::chrono::seconds(18))) << "never quiet for long";
  EXPECT_TRUE(s.begins(start + std::chrono::seconds(29)));
}

}  // namespace
}  // namespace relay
