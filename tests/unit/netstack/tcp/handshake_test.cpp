#include "netstack/tcp/handshake.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};
constexpr sequence ours{0xffff'ffff};

segment syn_with(std::optional<std::uint8_t> shift, bool sack) {
  segment s;
  s.number = {100};
  s.flags.syn = true;
  s.options.most_segment = 1'200;
  s.options.window_shift = shift;
  s.options.sack_permitted = sack;
  return s;
}

segment filled(handshake& h, time_point now = start) {
  segment s;
  h.fill(s, {}, receiver({}), now);
  return s;
}

// When it goes out again, and when it is given up.
std::vector<duration> sendings(handshake& h) {
  std::vector<duration> at;
  h.send_now();
  auto now = start;
  do {
    EXPECT_TRUE(h.is_due());
    filled(h, now);
    at.push_back(now - start);
    now = h.wake_at();
  } while (!h.on_time(now));
  at.push_back(now - start);
  return at;
}

TEST(handshake, a_syn_goes_out_at_0_1_3_and_7_seconds_and_ends_at_10) {
  handshake h(handshake::side::opens, ours);
  EXPECT_EQ(sendings(h), (std::vector<duration>{0s, 1s, 3s, 7s, 10s}));
  EXPECT_FALSE(h.was_sent_once());
}

TEST(handshake, a_syn_ack_goes_out_for_half_a_minute) {
  handshake h(handshake::side::accepts, ours);
  h.take(syn_with(7, true));
  EXPECT_EQ(sendings(h), (std::vector<duration>{0s, 1s, 3s, 7s, 15s, 31s}));
}

TEST(handshake, an_answer_to_a_repeated_syn_neither_counts_nor_moves_the_deadline) {
  handshake h(handshake::side::accepts, ours);
  h.take(syn_with(7, true));
  h.send_now();
  filled(h);
  for (int i = 1; i < 100; ++i) {
    h.answer_again();
    ASSERT_TRUE(h.is_due());
    filled(h, start + 1ms * i);
    ASSERT_FALSE(h.is_due());
    ASSERT_EQ(h.wake_at(), start + 1s);
  }
  EXPECT_FALSE(h.was_sent_once()) << "its answer measures no round trip";
}

TEST(handshake, our_syn_offers_everything) {
  handshake h(handshake::side::opens, ours);
  h.send_now();
  const auto s = filled(h);
  EXPECT_EQ(s.number, ours);
  EXPECT_TRUE(s.flags.syn);
  EXPECT_FALSE(s.flags.ack || s.flags.ece || s.flags.cwr);
  EXPECT_EQ(s.options.most_segment, 1'460);
  EXPECT_EQ(s.options.window_shift, 5) << "for a window of a megabyte";
  EXPECT_TRUE(s.options.sack_permitted);
  EXPECT_EQ(s.window, 65'535);
  EXPECT_TRUE(h.was_sent_once());
  EXPECT_EQ(h.sent_at(), start);
}

TEST(handshake, our_syn_ack_has_what_the_peer_offered_and_no_more) {
  for (const bool scales : {false, true})
    for (const bool sack : {false, true}) {
      handshake h(handshake::side::accepts, ours);
      h.take(syn_with(scales ? std::optional<std::uint8_t>(9) : std::nullopt, sack));
      h.send_now();
      const auto s = filled(h);
      EXPECT_TRUE(s.flags.syn && s.flags.ack);
      EXPECT_EQ(s.acknowledged.value, 101U);
      EXPECT_EQ(s.options.window_shift.has_value(), scales);
      EXPECT_EQ(s.options.sack_permitted, sack);
      EXPECT_EQ(h.terms().scales, scales);
      EXPECT_EQ(h.terms().window_shift, scales ? 9 : 0);
      EXPECT_EQ(h.terms().sack, sack);
      EXPECT_EQ(h.terms().most_segment, 1'200);
    }
}

TEST(handshake, terms_of_a_bare_syn_and_of_one_that_asks_for_crumbs) {
  segment bare;
  bare.flags.syn = true;
  EXPECT_EQ(terms_of(bare).most_segment, 536);
  bare.options.most_segment = 1;
  EXPECT_EQ(terms_of(bare).most_segment, sender::least_segment);
}

TEST(handshake, a_refusal_acknowledges_the_syn_with_its_payload) {
  const std::vector<std::uint8_t> payload(10);
  auto syn = syn_with(7, true);
  syn.payload = payload;
  handshake h(handshake::side::accepts, ours);
  EXPECT_FALSE(h.is_same(syn)) << "none has come";
  h.take(syn);
  EXPECT_EQ(h.theirs().value, 100U);
  EXPECT_EQ(h.behind_syn().value, 111U);
  EXPECT_TRUE(h.is_same(syn));
  syn.number += 1;
  EXPECT_FALSE(h.is_same(syn));
}

TEST(handshake, nothing_goes_out_once_it_has_ended) {
  handshake h(handshake::side::opens, ours);
  h.send_now();
  filled(h);
  h.end();
  EXPECT_FALSE(h.is_due());
  EXPECT_EQ(h.wake_at(), never);
  EXPECT_FALSE(h.on_time(start + 1h));
  EXPECT_FALSE(h.is_due());
}

}  // namespace
}  // namespace netstack::tcp
