// Bytes both ways, windows and losses; each segment written out.
#include <gtest/gtest.h>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/tcp/scripted_peer.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

// --- from the VM

TEST(arriving, one_acknowledgement_for_a_batch) {
  scripted_peer p;
  p.accept();
  p.give(p.data(0, "one "));
  p.give(p.data(4, "two "));
  p.give(p.data(8, "three"));
  EXPECT_TRUE(p.c->take_events().readable);
  EXPECT_EQ(p.c->arrived().size(), 3U);
  EXPECT_EQ(p.read(), "one two three");
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.acknowledges(sent[0]), 13U);
}

TEST(arriving, slices_are_of_the_callers_buffer_until_keep) {
  scripted_peer p;
  p.accept();
  const auto s = p.data(0, "hello");
  p.give(s);
  EXPECT_EQ(p.c->arrived()[0].data(), s.payload.data());
  EXPECT_EQ(p.c->memory() < 1'024, true);
  p.c->keep();
  EXPECT_NE(p.c->arrived()[0].data(), s.payload.data());
  EXPECT_EQ(p.read(), "hello");
}

TEST(arriving, a_hole_is_reported_and_filled) {
  scripted_peer p;
  p.accept();
  p.give(p.data(5, "world"));
  auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.acknowledges(sent[0]), 0U);
  ASSERT_EQ(sent[0].header.options.sack_blocks, 1U);
  EXPECT_EQ(sent[0].header.options.sack[0], (sack_block{p.theirs + 6, p.theirs + 11}));
  EXPECT_FALSE(p.c->take_events().readable);
  p.give(p.data(0, "hello"));
  EXPECT_EQ(p.read(), "helloworld");
  sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.acknowledges(sent[0]), 10U);
}

TEST(arriving, a_peer_without_sack_gets_three_equal_acknowledgements) {
  scripted_peer p;
  p.sack = false;
  p.accept();
  for (std::uint32_t i = 1; i <= 5; ++i) p.give(p.data(i * 5, "world"));
  EXPECT_EQ(p.sent().size(), 3U);
}

TEST(arriving, a_duplicate_is_acknowledged_and_reported) {
  scripted_peer p;
  p.accept();
  p.give(p.data(0, "hello"));
  p.read();
  p.sent();
  p.give(p.data(0, "hello"));
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.acknowledges(sent[0]), 5U);
  EXPECT_EQ(sent[0].header.options.sack[0], (sack_block{p.theirs + 1, p.theirs + 6}));
  EXPECT_FALSE(p.c->take_events().readable);
}

TEST(arriving, overlap_counts_once) {
  scripted_peer p;
  p.accept();
  p.give(p.data(0, "hello"));
  p.give(p.data(3, "lo wor"));
  p.give(p.data(2, "llo world"));
  EXPECT_EQ(p.read(), "hello world");
}

TEST(arriving, urgent_bytes_are_bytes) {
  scripted_peer p;
  p.accept();
  auto s = p.data(0, "ab");
  s.flags.urg = true;
  s.urgent = 1;
  p.give(s);
  EXPECT_EQ(p.read(), "ab");
}

TEST(arriving, nothing_beyond_the_window_is_taken) {
  scripted_peer p;
  p.l.receive_window = 100;
  p.accept();
  p.give(p.data(0, std::string(150, 'x')));
  p.c->keep();
  auto sent = p.sent();
  EXPECT_EQ(p.acknowledges(sent.at(0)), 100U);
  EXPECT_EQ(sent[0].header.window, 0);
  p.give(p.data(100, "y"));  // a probe of the shut window
  sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.acknowledges(sent[0]), 100U);
  EXPECT_EQ(p.read(), std::string(100, 'x'));
  EXPECT_GT(p.sent().at(0).header.window, 0);  // the reader made room
}

TEST(arriving, a_slow_reader_announces_only_large_steps) {
  scripted_peer p;
  p.l.receive_window = 60'000;
  p.accept();
  std::uint32_t at = 0;
  for (; at < 60'000; at += 1'000) p.give(p.data(at, std::string(1'000, 'x')));
  p.c->keep();
  EXPECT_EQ(p.sent().at(0).header.window, 0);
  std::size_t updates = 0;
  for (int i = 0; i < 60'000; i += 100) {
    p.c->consume(100, p.now);
    for (const auto& s : p.sent()) {
      ++updates;
      EXPECT_GE(std::size_t{s.header.window} << 5U, 2'880U);
    }
  }
  EXPECT_GE(updates, 2U);
  EXPECT_LE(updates, 30U);
}

TEST(arriving, a_smaller_window_never_moves_its_edge_back) {
  scripted_peer p;
  p.l.receive_window = 60'000;
  p.accept();
  p.give(p.data(0, "x"));
  const auto before = std::uint32_t{p.sent().at(0).header.window} << 5U;
  p.c->set_receive_window(1'000);
  p.read();
  p.give(p.data(1, std::string(10'000, 'y')));
  const auto s = p.sent().at(0);
  EXPECT_EQ(p.acknowledges(s), 10'001U);
  EXPECT_GE(10'001U + (std::uint32_t{s.header.window} << 5U) + 32U, before + 1U);
}

TEST(arriving, one_byte_segments_with_holes_hold_bounded_memory) {
  scripted_peer p;
  p.accept();
  for (std::uint32_t at = 1; at < 60'000; at += 2) {
    p.give(p.data(at, "x"));
    if (at % 256 == 1) p.sent();
  }
  EXPECT_LT(p.c->memory(), 80'000U);
  for (std::uint32_t at = 0; at < 510; at += 2) p.give(p.data(at, "y"));
  EXPECT_EQ(p.read().size(), 510U);
}

TEST(arriving, an_acknowledgement_of_the_future_is_answered_and_dropped) {
  scripted_peer p;
  p.accept();
  p.write(100);
  p.sent();
  p.give(p.data(0, "evil", 101));
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.acknowledges(sent[0]), 0U);
  EXPECT_TRUE(p.c->arrived().empty());
  EXPECT_FALSE(p.c->take_events().reset);
}

TEST(arriving, challenges_are_bounded_in_a_second) {
  scripted_peer p;
  p.accept();
  std::size_t answers = 0;
  for (int i = 0; i < 1'000; ++i) {
    p.give(p.syn());
    answers += p.sent().size();
  }
  EXPECT_EQ(answers, 10U);
  p.now += 1s;
  p.give(p.syn());
  EXPECT_EQ(p.sent().size(), 1U);
  EXPECT_EQ(p.c->state(), state::established);
}

// --- to the VM

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
  p.c.emplace(connection::accept(syn, p.l, p.ours, p.now));
  p.c->connected(p.now);
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
