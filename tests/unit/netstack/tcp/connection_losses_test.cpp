// Bytes to the VM that are lost: what repeats them, and when; each segment written out.
#include <gtest/gtest.h>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/tcp/scripted_peer.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

TEST(sending, a_lost_segment_is_repeated_by_sack_at_once) {
  scripted_peer p;
  p.accept();
  p.write(8 * 1'460);
  EXPECT_EQ(p.sent().size(), 8U);
  p.now += 100us;
  p.give(p.acknowledgement(1'460));
  EXPECT_TRUE(p.sent().empty());
  p.give(p.acknowledgement(1'460, {{2'920, 2'920 + 3 * 1'460}}));
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.offset(sent[0]), 1'460U);
  EXPECT_EQ(sent[0].payload.size(), 1'460U);
  p.now += 100us;
  p.give(p.acknowledgement(8 * 1'460));
  EXPECT_LT(p.c->wake_at(), never);
  EXPECT_TRUE(p.sent().empty());
}

TEST(sending, a_repetition_that_is_lost_again_is_repeated_within_a_round_trip) {
  scripted_peer p;
  p.accept();
  while (p.wrote < 40 * 1'460) {
    p.write(std::min<std::size_t>(1'460, 40 * 1'460 - p.wrote));
    p.sent();
  }
  p.now += 100us;
  p.give(p.acknowledgement(0, {{1'460, 30 * 1'460}}));
  auto sent = p.sent();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(p.offset(sent[0]), 0U);
  p.now += 1ms;  // a segment that went out after the repetition is reported, the repetition is not
  p.write(1'460);
  sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  p.now += 1ms;
  p.give(p.acknowledgement(0, {{1'460, 41 * 1'460}}));
  sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.offset(sent[0]), 0U);
}

TEST(sending, three_equal_acknowledgements_without_sack) {
  scripted_peer p;
  p.sack = false;
  p.accept();
  p.write(8 * 1'460);
  p.sent();
  for (int i = 0; i < 2; ++i) p.give(p.acknowledgement(0));
  EXPECT_TRUE(p.sent().empty());
  p.give(p.acknowledgement(0));
  auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.offset(sent[0]), 0U);
  p.give(p.acknowledgement(2 * 1'460));  // a partial acknowledgement: the next hole
  sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.offset(sent[0]), 2U * 1'460);
}

TEST(sending, the_last_segment_is_probed_before_the_time_out) {
  scripted_peer p;
  p.accept();
  p.write(4 * 1'460);
  p.sent();
  p.now += 100us;
  p.give(p.acknowledgement(1'460));
  p.wait(20ms);
  ASSERT_EQ(p.answered.size(), 1U);
  EXPECT_EQ(p.offset(p.answered[0]), 3U * 1'460);
  p.give(p.acknowledgement(1'460, {{3 * 1'460, 4 * 1'460}}));  // the two before it are missing
  std::size_t again = p.sent().size();
  p.answered.clear();
  p.wait(2ms);
  again += p.answered.size();
  EXPECT_EQ(again, 2U);
}

TEST(sending, the_time_out_repeats_and_doubles_and_gives_up) {
  scripted_peer p;
  p.sack = false;  // no tail probe
  p.accept();
  p.write(100);
  p.sent();
  const auto began = p.now;
  p.wait(199ms);
  EXPECT_TRUE(p.answered.empty());
  p.wait(2ms);
  EXPECT_EQ(p.answered.size(), 1U);
  p.wait(400ms);
  EXPECT_EQ(p.answered.size(), 2U);
  p.wait(20min);
  EXPECT_TRUE(p.c->take_events().timed_out);
  EXPECT_EQ(p.c->memory(), 0U);
  EXPECT_EQ(p.answered.size(), 13U);  // twelve, then the RST
  EXPECT_TRUE(p.answered.back().header.flags.rst);
  static_cast<void>(began);
}

TEST(sending, a_process_that_was_stopped_for_an_hour_goes_on) {
  scripted_peer p;
  p.accept();
  p.write(100);
  p.sent();
  p.now += 1h;
  p.c->on_time(p.now);
  EXPECT_FALSE(p.c->take_events().timed_out);
  EXPECT_EQ(p.sent().size(), 1U);
  p.give(p.acknowledgement(100));
  EXPECT_EQ(p.c->state(), state::established);
}

TEST(sending, a_smaller_path_sends_what_is_under_way_again) {
  scripted_peer p;
  p.accept();
  p.write(2 * 1'460);
  p.sent();
  EXPECT_TRUE(p.c->is_under_way(p.ours + 1));
  EXPECT_FALSE(p.c->is_under_way(p.ours + 1 + 2 * 1'460));
  p.c->set_most_segment(1'260);
  std::size_t bytes = 0;
  for (const auto& s : p.sent()) {
    EXPECT_LE(s.payload.size(), 1'260U);
    bytes += s.payload.size();
  }
  EXPECT_EQ(bytes, 2U * 1'460);
}

TEST(sending, invalid_blocks_change_nothing) {
  scripted_peer p;
  p.accept();
  p.write(4 * 1'460);
  p.sent();
  p.give(p.acknowledgement(0, {{5'000, 4'000}, {0, 0x7000'0000}, {100'000, 100'010}}));
  EXPECT_TRUE(p.sent().empty());
  p.give(p.acknowledgement(4 * 1'460));
  EXPECT_TRUE(p.c->take_events() == events{});
}

}  // namespace
}  // namespace netstack::tcp
