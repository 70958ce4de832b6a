#include "http/slot_table.hpp"

#include <gmock/gmock.h>

namespace http {
namespace {

using namespace std::chrono_literals;

// A table whose victims leave at once, as in the server. Time advances by pass() only.
class table {
 public:
  explicit table(std::size_t slots) : slots_(slots) {}
  std::optional<slot_table::id> enter(const std::string& caller) {
    const auto admitted = slots_.admit(now_);
    if (!admitted.granted) return std::nullopt;
    if (admitted.victim) gone_.push_back(*admitted.victim), slots_.leave(*admitted.victim);
    slots_.enter(++last_, caller, now_);
    return last_;
  }
  bool stand(slot_table::id id) {
    const auto standing = slots_.stand(id, now_);
    if (standing.victim) gone_.push_back(*standing.victim), slots_.leave(*standing.victim);
    return standing.granted;
  }
  void pass(std::chrono::milliseconds time = slot_table::turn) { now_ += time; }
  // enter(), after the turns of all others have ended.
  std::optional<slot_table::id> enter_later(const std::string& caller) {
    pass();
    return enter(caller);
  }
  slot_table slots_;
  slot_table::time_point now_{1h};
  std::vector<slot_table::id> gone_;

 private:
  slot_table::id last_ = 0;
};

TEST(slot_table, a_newcomer_takes_the_slot_of_the_one_that_waits_longest) {
  table t(3);
  for (int i = 0; i < 3; ++i) t.enter("a");
  EXPECT_EQ(t.enter_later("a"), 4U);
  EXPECT_EQ(t.enter("a"), 5U);
  EXPECT_THAT(t.gone_, testing::ElementsAre(1, 2));
  EXPECT_EQ(t.slots_.size(), 3U);
}

TEST(slot_table, each_connection_has_its_turn_before_it_goes) {
  table t(2);
  const auto first = *t.enter("a");
  t.pass(10ms);
  t.enter("a");
  EXPECT_EQ(t.enter("a"), std::nullopt);
  EXPECT_EQ(t.slots_.admit(t.now_).again, t.now_ + slot_table::turn - 10ms);
  t.pass(slot_table::turn - 11ms);
  EXPECT_EQ(t.enter("a"), std::nullopt);
  t.pass(1ms);
  EXPECT_TRUE(t.enter("a"));
  EXPECT_THAT(t.gone_, testing::ElementsAre(first));
  EXPECT_EQ(t.enter("a"), std::nullopt) << "the second one's turn is not over";
}

TEST(slot_table, a_request_begins_a_new_turn) {
  table t(1);
  const auto asks = *t.enter("a");
  t.pass();
  EXPECT_TRUE(t.stand(asks));
  table full(8);
  for (int i = 0; i < 6; ++i) full.stand(*full.enter("a"));
  const auto leaves = *full.enter("a");
  full.enter("a");
  full.pass();
  full.stand(1);
  for (int i = 2; i < 7; ++i) full.stand(static_cast<slot_table::id>(i));
  EXPECT_FALSE(full.stand(leaves)) << "all others have just been used";
  EXPECT_TRUE(full.enter("a"));
  EXPECT_EQ(full.enter("a"), std::nullopt) << "the answer is under way";
}

TEST(slot_table, a_standing_connection_is_no_victim_of_those_that_ask_nothing) {
  table t(4);
  const auto agent = *t.enter("vm");
  ASSERT_TRUE(t.stand(agent));
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(t.enter_later("vm"));
  EXPECT_THAT(t.gone_, testing::Not(testing::Contains(agent)));
  EXPECT_TRUE(t.stand(agent));
}

// An active client holds all standing places, uses each of them in time, and keeps connecting.
TEST(slot_table, an_active_client_keeps_no_other_one_at_its_address_from_standing) {
  table t(256);
  std::vector<slot_table::id> held;
  for (int i = 0; i < 192; ++i) {
    held.push_back(*t.enter("vm"));
    ASSERT_TRUE(t.stand(held.back()));
  }
  const auto idlest = held[7];
  t.pass();
  for (const auto one : held)
    if (one != idlest) t.stand(one);
  while (t.enter("vm")) {
  }
  const auto agent = *t.enter_later("vm");
  for (int i = 0; i < 500; ++i) t.enter("vm");
  EXPECT_TRUE(t.stand(agent)) << "its turn was cut short, or it may not stand";
  EXPECT_THAT(t.gone_, testing::AllOf(testing::Contains(idlest), testing::Not(testing::Contains(agent))));
  for (const auto one : held)
    if (one != idlest) {
      EXPECT_THAT(t.gone_, testing::Not(testing::Contains(one)));
    }
}

TEST(slot_table, what_is_being_answered_is_not_taken_by_one_that_has_asked) {
  table t(4);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(t.stand(*t.enter("vm")));
  EXPECT_FALSE(t.stand(*t.enter("vm")));
  EXPECT_THAT(t.gone_, testing::IsEmpty());
  t.slots_.leave(4);
  t.slots_.answered(1);
  EXPECT_TRUE(t.stand(*t.enter("vm"))) << "however lately it was used";
  EXPECT_THAT(t.gone_, testing::ElementsAre(1));
  t.slots_.answered(1);  // has gone
}

TEST(slot_table, a_quarter_is_never_held_by_standing_ones) {
  table t(8);
  for (int i = 0; i < 100; ++i) {
    const auto one = t.enter_later("vm");
    ASSERT_TRUE(one) << "a place for newcomers";
    EXPECT_TRUE(t.stand(*one));
    EXPECT_LE(t.slots_.size(), 6U);
  }
}

TEST(slot_table, the_caller_with_the_most_connections_pays) {
  table t(4);
  const auto quiet = *t.enter("quiet");
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(t.enter_later("greedy"));
  EXPECT_THAT(t.gone_, testing::Not(testing::Contains(quiet)));
}

TEST(slot_table, a_second_caller_gets_its_share_of_standing_connections) {
  table t(8);
  std::vector<slot_table::id> greedy, other;
  for (int i = 0; i < 6; ++i) {
    greedy.push_back(*t.enter("greedy"));
    ASSERT_TRUE(t.stand(greedy.back()));
  }
  t.stand(greedy[0]);  // was used just now
  t.pass();
  for (int i = 0; i < 4; ++i) {
    other.push_back(*t.enter("other"));
    EXPECT_TRUE(t.stand(other.back()));
    t.pass();
  }
  EXPECT_THAT(t.gone_, testing::ElementsAre(greedy[1], greedy[2], greedy[3], other[0]))
      << "three each, the idlest first";
}

TEST(slot_table, streams_stay_and_a_newcomer_waits) {
  table t(2);
  for (int i = 0; i < 2; ++i) t.slots_.stream(*t.enter("a"));
  EXPECT_EQ(t.enter("a"), std::nullopt);
  t.slots_.leave(1);
  EXPECT_EQ(t.enter("a"), 3U);
}

TEST(slot_table, what_left_counts_no_more) {
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
