#include "http/slot_table.hpp"

#include <gmock/gmock.h>

namespace http {
namespace {

// A table whose victims leave at once, as the server has it.
class table {
 public:
  explicit table(std::size_t slots) : slots_(slots) {}
  std::optional<slot_table::id> enter(const std::string& caller) {
    const auto admitted = slots_.admit();
    if (!admitted.granted) return std::nullopt;
    if (admitted.victim) gone_.push_back(*admitted.victim), slots_.leave(*admitted.victim);
    slots_.enter(++last_, caller);
    return last_;
  }
  bool stand(slot_table::id id) {
    const auto standing = slots_.stand(id);
    if (standing.victim) gone_.push_back(*standing.victim), slots_.leave(*standing.victim);
    return standing.granted;
  }
  slot_table slots_;
  std::vector<slot_table::id> gone_;

 private:
  slot_table::id last_ = 0;
};

TEST(SlotTable, ANewcomerTakesTheSlotOfTheOneThatWaitsLongest) {
  table t(3);
  for (int i = 0; i < 3; ++i) t.enter("a");
  EXPECT_EQ(t.enter("a"), 4U);
  EXPECT_EQ(t.enter("a"), 5U);
  EXPECT_THAT(t.gone_, testing::ElementsAre(1, 2));
  EXPECT_EQ(t.slots_.size(), 3U);
}

TEST(SlotTable, AStandingConnectionIsNeverANewcomersVictim) {
  table t(4);
  const auto agent = *t.enter("vm");
  ASSERT_TRUE(t.stand(agent));
  for (int i = 0; i < 10'000; ++i) {
    const auto newcomer = t.enter("vm");
    ASSERT_TRUE(newcomer);
    if (i % 3 == 0) t.stand(*newcomer);  // some of them behave like the agent
  }
  EXPECT_THAT(t.gone_, testing::Not(testing::Contains(agent)));
  EXPECT_TRUE(t.stand(agent));
}

TEST(SlotTable, AQuarterIsNeverHeldByStandingOnes) {
  table t(8);
  int standing = 0;
  for (int i = 0; i < 100; ++i) standing += t.stand(*t.enter("vm")) ? 1 : 0;
  EXPECT_EQ(standing, 6);
  EXPECT_TRUE(t.enter("vm")) << "a place for newcomers";
}

TEST(SlotTable, TheCallerWithTheMostConnectionsPays) {
  table t(4);
  const auto quiet = *t.enter("quiet");
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(t.enter("greedy"));
  EXPECT_THAT(t.gone_, testing::Not(testing::Contains(quiet)));
}

TEST(SlotTable, ASecondCallerGetsItsShareOfStandingConnections) {
  table t(8);
  std::vector<slot_table::id> greedy;
  for (int i = 0; i < 6; ++i) {
    greedy.push_back(*t.enter("greedy"));
    ASSERT_TRUE(t.stand(greedy.back()));
  }
  t.stand(greedy[0]);  // was used just now
  EXPECT_TRUE(t.stand(*t.enter("other")));
  EXPECT_THAT(t.gone_, testing::ElementsAre(greedy[1])) << "the one that has been idle for the longest";
  EXPECT_TRUE(t.stand(*t.enter("other")));
  EXPECT_TRUE(t.stand(*t.enter("other")));
  EXPECT_FALSE(t.stand(*t.enter("other"))) << "three each";
}

TEST(SlotTable, StreamsStayAndANewcomerWaits) {
  table t(2);
  for (int i = 0; i < 2; ++i) t.slots_.stream(*t.enter("a"));
  EXPECT_EQ(t.enter("a"), std::nullopt);
  t.slots_.leave(1);
  EXPECT_EQ(t.enter("a"), 3U);
}

TEST(SlotTable, WhatLeftCountsNoMore) {
  table t(4);
  for (int i = 0; i < 100; ++i) {
    const auto one = *t.enter("a");
    ASSERT_TRUE(t.stand(one));
    t.slots_.leave(one);
    t.slots_.leave(one);
  }
  EXPECT_EQ(t.slots_.size(), 0U);
}

}  // namespace
}  // namespace http
