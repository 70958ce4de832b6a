#include "netstack/tcp/acknowledgement_delay.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "netstack/time_point.hpp"
#include "tests/unit/netstack/tcp/scripted_peer.hpp"

namespace netstack::tcp {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr auto longest = acknowledgement_delay::longest;

// Requests of one byte that are answered after `think`.
class turns {
 public:
  void request() { d.arrived(now); }
  void answer(duration think = microseconds(100)) {
    now += think;
    d.answered(now);
    now += microseconds(100);
  }
  void take_turns(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      request();
      answer();
    }
  }

  acknowledgement_delay d;
  time_point now = time_point(std::chrono::hours(1));
};

TEST(acknowledgement_delay, begins_after_enough_turns_and_ends_in_a_millisecond) {
  turns t;
  for (unsigned i = 0; i < acknowledgement_delay::enough_turns; ++i) {
    t.request();
    EXPECT_FALSE(t.d.holds(t.now)) << i;
    EXPECT_EQ(t.d.wake_at(), never) << i;
    t.answer();
  }
  t.request();
  EXPECT_TRUE(t.d.holds(t.now));
  EXPECT_EQ(t.d.wake_at(), t.now + longest);
  EXPECT_TRUE(t.d.holds(t.now + longest - duration(1)));
  EXPECT_FALSE(t.d.holds(t.now + longest));
}

TEST(acknowledgement_delay, nothing_waits_after_an_answer) {
  turns t;
  t.take_turns(3);
  EXPECT_FALSE(t.d.holds(t.now));
  EXPECT_EQ(t.d.wake_at(), never);
}

TEST(acknowledgement_delay, a_wait_in_vain_ends_the_turns) {
  turns t;
  t.take_turns(3);
  t.request();
  t.d.on_time(t.now + longest - duration(1));
  EXPECT_TRUE(t.d.holds(t.now)) << "not yet";
  t.d.on_time(t.now + longest);
  EXPECT_FALSE(t.d.holds(t.now));
  t.answer();
  t.request();
  EXPECT_FALSE(t.d.holds(t.now)) << "one turn is not enough";
}

TEST(acknowledgement_delay, a_late_answer_ends_the_turns) {
  turns t;
  t.take_turns(2);
  t.request();
  t.answer(longest);
  t.take_turns(1);
  t.request();
  EXPECT_FALSE(t.d.holds(t.now));
}

// Nagle's algorithm at the peer holds the second write until the first is acknowledged.
TEST(acknowledgement_delay, a_peer_that_writes_twice_before_it_reads_never_waits) {
  turns t;
  for (int i = 0; i < 10; ++i) {
    t.request();
    EXPECT_FALSE(t.d.holds(t.now)) << i;
    t.request();
    EXPECT_FALSE(t.d.holds(t.now)) << i;
    t.answer();
  }
}

// A connection that has taken turns: the peer has sent `at` bytes, and so have we.
class conversation : public testing::Test {
 protected:
  conversation() {
    p.accept();
    for (unsigned i = 0; i < acknowledgement_delay::enough_turns; ++i) {
      p.give(p.data(at, "?", at));
      p.read();
      EXPECT_EQ(p.sent().size(), 1U) << "an acknowledgement of its own";
      p.write(1);
      EXPECT_EQ(p.sent().size(), 1U);
      ++at;
      p.now += microseconds(50);
    }
  }

  scripted_peer p;
  std::uint32_t at = 0;
};

TEST_F(conversation, the_answer_carries_the_acknowledgement) {
  for (int i = 0; i < 3; ++i) {
    p.give(p.data(at, "?", at));
    EXPECT_EQ(p.read(), "?");
    EXPECT_TRUE(p.sent().empty());
    p.write(1);
    const auto sent = p.sent();
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(p.acknowledges(sent[0]), ++at);
  }
}

TEST_F(conversation, without_an_answer_the_acknowledgement_follows_in_a_millisecond) {
  p.give(p.data(at, "?", at));
  p.read();
  EXPECT_TRUE(p.sent().empty());
  EXPECT_EQ(p.c->wake_at(), p.now + longest);
  p.wait(longest - duration(1));
  EXPECT_TRUE(p.answered.empty());
  p.wait(duration(1));
  ASSERT_EQ(p.answered.size(), 1U);
  EXPECT_EQ(p.acknowledges(p.answered[0]), at + 1);
  p.give(p.data(at + 1, "?", at));
  p.read();
  EXPECT_EQ(p.sent().size(), 1U) << "the turns are over";
}

TEST_F(conversation, a_full_segment_is_acknowledged_at_once) {
  p.give(p.data(at, std::string(1'460, '?'), at));
  p.read();
  ASSERT_EQ(p.sent().size(), 1U);
}

TEST_F(conversation, small_segments_that_add_up_to_a_full_one_are_acknowledged_at_once) {
  p.give(p.data(at, std::string(700, '?'), at));
  p.give(p.data(at + 700, std::string(760, '?'), at));
  p.read();
  ASSERT_EQ(p.sent().size(), 1U);
}

TEST_F(conversation, a_fin_is_acknowledged_at_once) {
  p.give(p.data(at, "?", at));
  p.read();
  p.give(p.fin(at + 1, at));
  ASSERT_EQ(p.sent().size(), 1U);
}

TEST_F(conversation, a_hole_and_a_repetition_are_acknowledged_at_once) {
  p.give(p.data(at + 1, "?", at));
  ASSERT_EQ(p.sent().size(), 1U) << "a hole";
  p.give(p.data(at, "?", at));
  p.read();
  p.sent();
  p.give(p.data(at, "?", at));
  ASSERT_EQ(p.sent().size(), 1U) << "a repetition";
}

}  // namespace
}  // namespace netstack::tcp
