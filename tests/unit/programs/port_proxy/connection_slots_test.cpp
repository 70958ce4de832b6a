#include "programs/port_proxy/connection_slots.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace port_proxy {
namespace {

using namespace std::chrono_literals;

constexpr caller one{1, 10}, two{2, 20}, three{3, 30};

// Connections of these callers, heard one second after another.
std::vector<connection_slot> slots_of(const std::vector<caller>& callers) {
  std::vector<connection_slot> made;
  for (const auto& who : callers)
    made.push_back({who, std::chrono::steady_clock::time_point(std::chrono::seconds(static_cast<int>(made.size())))});
  return made;
}
std::vector<caller> many(const caller& who, std::size_t count) { return std::vector(count, who); }

TEST(connection_slots, the_caller_with_the_most_gives_up_its_longest_silent_one) {
  const auto taken = slots_of({one, two, two, two});
  EXPECT_EQ(choose_victim(taken, three, 4), 3U) << "its two oldest are kept";
}

TEST(connection_slots, one_that_was_heard_lately_stays) {
  auto taken = slots_of({one, two, two, two, two});
  taken[3].heard += 1h;
  EXPECT_EQ(choose_victim(taken, three, 4), 4U);
}

TEST(connection_slots, among_equals_the_newcomers_caller_gives_way) {
  const auto taken = slots_of({one, one, one, two, two, two});
  EXPECT_EQ(choose_victim(taken, one, 4), 2U);
  EXPECT_EQ(choose_victim(taken, two, 4), 5U);
}

TEST(connection_slots, the_oldest_of_a_caller_are_never_closed) {
  EXPECT_EQ(choose_victim(slots_of(many(one, oldest_kept)), one, 64), std::nullopt);
  EXPECT_EQ(choose_victim(slots_of(many(one, oldest_kept + 1)), one, 64), oldest_kept);
  EXPECT_EQ(choose_victim(slots_of(many(one, oldest_kept)), two, 64), std::nullopt);
}

TEST(connection_slots, few_slots_keep_half_of_them) { EXPECT_EQ(choose_victim(slots_of({one, one, one}), two, 3), 1U); }

}  // namespace
}  // namespace port_proxy
