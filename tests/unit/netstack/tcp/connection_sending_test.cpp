// Bytes to the VM: sizes of segments, the window, and the memory of a connection; each segment written out.
#include <gtest/gtest.h>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/tcp/scripted_peer.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

TEST(sending, slices_of_the_ring_in_segments) {
  scripted_peer p;
  p.accept();
  EXPECT_EQ(p.write(4'000), 4'000U);
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].payload.size(), 1'460U);
  EXPECT_EQ(sent[2].payload.size(), 4'000U - 2 * 1'460U);
  EXPECT_TRUE(sent[2].header.flags.psh);
  for (std::size_t i = 0; i < 1'460; ++i) ASSERT_EQ(sent[1].payload[i], stream_byte(1, 1'460 + i));
}

TEST(sending, large_segments_with_offload_are_multiples_of_the_peers) {
  scripted_peer p;
  p.l.largest_segment = 65'480;
  p.window = 60'000;
  p.accept();
  p.write(16'384);
  outgoing o;
  ASSERT_TRUE(p.c->next_segment(o, p.now));
  EXPECT_EQ(o.payload_size(), 16'384U);
  EXPECT_EQ(o.most_segment, 1'460U);
}

TEST(sending, not_beyond_the_budget) {
  scripted_peer p;
  p.accept();
  p.write(4'000);
  EXPECT_TRUE(p.sent(0).empty());
  EXPECT_TRUE(p.sent(1'000).empty());
  EXPECT_EQ(p.sent().size(), 3U);
}

TEST(sending, not_beyond_the_window) {
  scripted_peer p;
  p.window = 3'000;
  p.accept();
  p.write(10'000);
  std::size_t bytes = 0;
  for (const auto& s : p.sent()) bytes += s.payload.size();
  EXPECT_EQ(bytes, 2'920U);  // the crumb of 80 bytes waits
}

TEST(sending, half_of_the_largest_window_is_enough) {
  scripted_peer p;
  p.accept();
  p.window = 1'000;
  p.give(p.acknowledgement(0));
  p.write(10'000);
  // The window was 64,000 before, so a thousand bytes wait for the persist timer.
  EXPECT_TRUE(p.sent().empty());
  p.wait(1s);
  ASSERT_FALSE(p.answered.empty());
  EXPECT_EQ(p.answered[0].payload.size(), 1'000U);
}

TEST(sending, a_window_smaller_than_a_segment_is_used_if_it_never_was_larger) {
  scripted_peer p;
  auto syn = p.syn();
  syn.window = p.window = 700;
  p.half_open(syn);
  p.sent();
  p.give(p.acknowledgement(0));
  p.write(10'000);
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 700U);
}

TEST(sending, a_lost_window_update_is_made_good_by_probes_of_a_byte) {
  scripted_peer p;
  p.accept();
  p.write(1'000);
  p.sent();
  p.window = 0;
  p.give(p.acknowledgement(1'000));
  p.write(500);
  EXPECT_TRUE(p.sent().empty());
  p.wait(250ms);
  ASSERT_EQ(p.answered.size(), 1U);
  EXPECT_EQ(p.answered[0].payload.size(), 1U);
  EXPECT_EQ(p.offset(p.answered[0]), 1'000U);
  p.window = 64'000;  // the answer to the probe, which was not taken
  p.give(p.acknowledgement(1'000));
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.offset(sent[0]), 1'000U);
  EXPECT_EQ(sent[0].payload.size(), 500U);
  p.give(p.acknowledgement(1'500));
  EXPECT_EQ(p.c->take_events(), events{});
}

TEST(sending, a_closed_window_is_probed_as_long_as_it_is_answered) {
  scripted_peer p;
  p.accept();
  p.write(500);
  p.sent();
  p.window = 0;
  p.give(p.acknowledgement(500));
  p.write(500);
  EXPECT_TRUE(p.sent().empty());
  for (int i = 0; i < 600; ++i) {
    p.wait(10s);
    if (!p.answered.empty()) p.give(p.acknowledgement(500));
  }
  EXPECT_FALSE(p.c->take_events().timed_out);
  EXPECT_LT(p.answered.size(), 200U);  // in 6,000 s
  EXPECT_GT(p.answered.size(), 90U);
}

TEST(sending, the_owner_is_asked_again_when_there_is_room) {
  scripted_peer p;
  p.l.send_capacity = 16'384;
  p.accept();
  EXPECT_EQ(p.write(20'000), 16'384U);
  EXPECT_FALSE(p.c->take_events().writable);
  p.sent();
  p.give(p.acknowledgement(1'460));
  EXPECT_FALSE(p.c->take_events().writable);
  p.give(p.acknowledgement(6 * 1'460));
  EXPECT_TRUE(p.c->take_events().writable);
  EXPECT_FALSE(p.c->take_events().writable);
}

TEST(sending, an_idle_connection_is_small) {
  scripted_peer p;
  p.accept();
  p.write(10'000);
  p.give(p.data(10, "out of order"));
  p.sent();
  p.give(p.data(0, "0123456789", 10'000));
  EXPECT_EQ(p.read().size(), 22U);
  p.sent();
  p.wait(4s);
  EXPECT_EQ(p.c->memory(), 0U);
  EXPECT_LT(sizeof(connection), 1'024U);
}

TEST(sending, small_segments_under_way_are_bounded_and_go_on_when_some_are_acknowledged) {
  scripted_peer p;
  p.accept();
  constexpr std::size_t all = sack_scoreboard::most_records + 1'000;
  std::size_t segments = 0;
  for (std::size_t i = 0; i < all; ++i) {
    ASSERT_EQ(p.write(1), 1U);
    segments += p.sent().size();
  }
  EXPECT_EQ(segments, sack_scoreboard::most_records);
  EXPECT_NE(p.c->wake_at(), never);
  p.give(p.acknowledgement(1));
  std::size_t bytes = 0;
  for (const auto& s : p.sent()) bytes += s.payload.size();
  EXPECT_EQ(bytes, 1'000U);
  p.give(p.acknowledgement(all));
  p.write(1);
  EXPECT_EQ(p.sent().size(), 1U);
}

}  // namespace
}  // namespace netstack::tcp
