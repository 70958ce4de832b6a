// Bytes from the VM: acknowledgements, holes, and the window; each segment written out.
#include <gtest/gtest.h>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/tcp/scripted_peer.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

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

}  // namespace
}  // namespace netstack::tcp
