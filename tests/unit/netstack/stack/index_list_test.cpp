#include "netstack/stack/index_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace netstack {
namespace {

TEST(index_list, the_first_one_in_is_the_front) {
  index_list list;
  EXPECT_FALSE(list.front());
  list.push_back(7);
  list.push_back(3);
  list.push_back(7);  // is there
  EXPECT_EQ(list.size(), 2U);
  EXPECT_EQ(list.front(), 7U);
  list.remove(7);
  EXPECT_EQ(list.front(), 3U);
  list.push_back(7);  // comes last now
  EXPECT_EQ(list.front(), 3U);
  list.remove(3);
  list.remove(7);
  EXPECT_FALSE(list.front());
  EXPECT_EQ(list.size(), 0U);
}

TEST(index_list, owners_that_are_not_there_change_nothing) {
  index_list list;
  list.remove(1'000);
  EXPECT_FALSE(list.contains(1'000));
  list.push_back(5);
  list.remove(4);
  EXPECT_TRUE(list.contains(5));
  EXPECT_FALSE(list.contains(4));
  EXPECT_EQ(list.size(), 1U);
}

TEST(index_list, the_same_as_a_vector_under_random_changes) {
  std::mt19937 random(3);
  index_list list;
  std::vector<std::uint32_t> model;
  for (int step = 0; step < 20'000; ++step) {
    const auto owner = static_cast<std::uint32_t>(random() % 50);
    const auto at = std::ranges::find(model, owner);
    ASSERT_EQ(list.contains(owner), at != model.end());
    if (random() % 2 == 0) {
      list.push_back(owner);
      if (at == model.end()) model.push_back(owner);
    } else {
      list.remove(owner);
      if (at != model.end()) model.erase(at);
    }
    ASSERT_EQ(list.size(), model.size());
    ASSERT_EQ(list.front(), model.empty() ? std::nullopt : std::optional(model.front()));
  }
  while (!model.empty()) {
    EXPECT_EQ(list.front(), model.front());
    list.remove(model.front());
    model.erase(model.begin());
  }
  EXPECT_FALSE(list.front());
}

}  // namespace
}  // namespace netstack
