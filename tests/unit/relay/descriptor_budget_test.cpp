#include "relay/descriptor_budget.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace relay {
namespace {

constexpr auto all_uses = {descriptor_use::listener, descriptor_use::connection, descriptor_use::flow,
                           descriptor_use::pipe};

std::vector<descriptor_lease> take_all(descriptor_budget& from, descriptor_use use) {
  std::vector<descriptor_lease> taken;
  while (auto lease = from.take(use)) taken.push_back(std::move(lease));
  return taken;
}

TEST(descriptor_budget, no_use_takes_what_is_guaranteed_to_another) {
  for (const auto greedy : all_uses) {
    descriptor_budget budget(1'024);
    const auto capacity = budget.capacity(greedy);
    const auto taken = take_all(budget, greedy);
    EXPECT_EQ(taken.size(), capacity);
    for (const auto other : all_uses)
      if (other != greedy) {
        EXPECT_GE(take_all(budget, other).size(), 1'024U * 7 / 8 / 16);
      }
  }
}

TEST(descriptor_budget, the_reserve_is_never_handed_out) {
  descriptor_budget budget(1'024);
  std::vector<std::vector<descriptor_lease>> taken;
  std::size_t sum = 0;
  for (const auto use : all_uses) sum += taken.emplace_back(take_all(budget, use)).size();
  EXPECT_EQ(budget.reserve(), 128U);
  EXPECT_LE(sum + budget.reserve(), 1'024U);
}

TEST(descriptor_budget, what_is_given_back_can_be_taken_again) {
  descriptor_budget budget(256);
  const auto before = budget.available(descriptor_use::flow);
  {
    const auto taken = take_all(budget, descriptor_use::flow);
    EXPECT_EQ(taken.size(), before);
    EXPECT_FALSE(budget.take(descriptor_use::flow));
  }
  EXPECT_EQ(budget.available(descriptor_use::flow), before);
}

// All processes of a user share what the kernel gives for pipes.
TEST(descriptor_budget, pipes_are_few_however_many_descriptors_there_are) {
  descriptor_budget budget(1'048'576);
  EXPECT_EQ(budget.capacity(descriptor_use::pipe), 64U);
  const auto taken = take_all(budget, descriptor_use::pipe);
  EXPECT_EQ(taken.size(), 64U);
  EXPECT_EQ(budget.available(descriptor_use::pipe), 0U);
}

TEST(descriptor_budget, a_lease_moves) {
  descriptor_budget budget(256);
  const auto before = budget.available(descriptor_use::pipe);
  auto first = budget.take(descriptor_use::pipe, 2);
  auto second = std::move(first);
  first = {};
  EXPECT_EQ(budget.available(descriptor_use::pipe), before - 2);
  second = {};
  EXPECT_EQ(budget.available(descriptor_use::pipe), before);
}

TEST(descriptor_budget, several_at_once_or_none) {
  descriptor_budget budget(256);
  const auto free = budget.available(descriptor_use::connection);
  EXPECT_FALSE(budget.take(descriptor_use::connection, free + 1));
  EXPECT_TRUE(budget.take(descriptor_use::connection, free));
}

TEST(descriptor_budget, a_tiny_limit_gives_little_and_never_wraps) {
  for (std::size_t limit = 0; limit < 40; ++limit) {
    descriptor_budget budget(limit);
    for (const auto use : all_uses) EXPECT_LE(take_all(budget, use).size(), limit);
  }
}

TEST(descriptor_budget, ten_thousand_ports_fit_into_twenty_thousand_descriptors) {
  EXPECT_GE(descriptor_budget(20'000).capacity(descriptor_use::listener), 10'000U);
}

}  // namespace
}  // namespace relay
