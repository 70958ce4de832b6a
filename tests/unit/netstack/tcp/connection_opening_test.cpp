// Opening and refusing a connection; each segment written out.
#include <gtest/gtest.h>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/tcp/scripted_peer.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

TEST(opening, a_syn_is_answered_when_the_host_has_accepted) {
  scripted_peer p;
  p.c.emplace(connection::accept(p.syn(), p.l, p.ours, p.now));
  EXPECT_TRUE(p.sent().empty());
  p.c->connected(p.now);
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].header.flags.syn && sent[0].header.flags.ack);
  EXPECT_EQ(sent[0].header.acknowledged, p.theirs + 1);
  EXPECT_EQ(sent[0].header.options.most_segment, 1'460);
  EXPECT_EQ(sent[0].header.options.window_shift, 5);  // for 1 MiB
  EXPECT_TRUE(sent[0].header.options.sack_permitted);
  p.give(p.acknowledgement(0));
  EXPECT_TRUE(p.c->take_events().established);
  EXPECT_EQ(p.c->state(), state::established);
}

TEST(opening, a_repeated_syn_is_one_connect_and_one_syn_ack) {
  scripted_peer p;
  p.c.emplace(connection::accept(p.syn(), p.l, p.ours, p.now));
  for (const auto at : {1s, 2s}) {
    p.now += at;
    p.give(p.syn());
    EXPECT_TRUE(p.sent().empty());
  }
  p.c->connected(p.now);
  EXPECT_EQ(p.sent().size(), 1U);
  EXPECT_TRUE(p.sent().empty());
}

TEST(opening, a_lost_syn_ack_is_repeated_for_a_repeated_syn_and_by_time) {
  scripted_peer p;
  p.half_open();
  EXPECT_EQ(p.sent().size(), 1U);
  p.give(p.syn());
  EXPECT_EQ(p.sent().size(), 1U);
  p.wait(20s);
  EXPECT_EQ(p.answered.size(), 4U);  // at 1, 3, 7 and 15 s
  for (const auto& s : p.answered) EXPECT_TRUE(s.header.flags.syn && s.header.flags.ack);
  p.wait(40s);
  EXPECT_TRUE(p.c->take_events().timed_out);
  EXPECT_EQ(p.c->state(), state::closed);
}

TEST(opening, a_vm_that_repeats_its_syn_for_ever_is_given_up_as_soon_as_a_silent_one) {
  scripted_peer p;
  p.half_open();
  EXPECT_EQ(p.sent().size(), 1U);
  for (int i = 0; i < 310; ++i) {
    ASSERT_EQ(p.c->state(), state::syn_received) << i;
    p.give(p.syn());
    ASSERT_EQ(p.sent().size(), 1U);
    ASSERT_LE(p.c->wake_at(), p.now + 16s);
    p.wait(100ms);
  }
  EXPECT_EQ(p.answered.size(), 4U);
  EXPECT_TRUE(p.c->take_events().timed_out);
  EXPECT_EQ(p.c->state(), state::closed);
}

TEST(opening, a_refusal_acknowledges_the_syn_and_its_payload) {
  scripted_peer p;
  auto syn = p.syn();
  const bytes payload(10);
  syn.payload = payload;
  p.c.emplace(connection::accept(syn, p.l, p.ours, p.now));
  p.c->abort();
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].header.flags.rst && sent[0].header.flags.ack);
  EXPECT_EQ(sent[0].header.acknowledged, p.theirs + 11);
  EXPECT_TRUE(p.c->take_events().closed);
}

TEST(opening, ecn_is_not_accepted) {
  scripted_peer p;
  auto syn = p.syn();
  syn.flags.ece = syn.flags.cwr = true;
  p.half_open(syn);
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_FALSE(sent[0].header.flags.ece || sent[0].header.flags.cwr);
  p.give(p.data(0, "hello"));
  EXPECT_EQ(p.read(), "hello");
}

TEST(opening, a_vm_that_begins_again_takes_the_place_of_its_former_syn) {
  scripted_peer p;
  auto old = p.syn();
  old.number = p.theirs - 5'000;
  p.c.emplace(connection::accept(old, p.l, p.ours, p.now));
  p.give(p.syn());
  p.c->connected(p.now);
  EXPECT_EQ(p.sent().at(0).header.acknowledged, p.theirs + 1);
}

TEST(opening, a_vm_that_resets_its_syn_ends_the_hosts_connect) {
  scripted_peer p;
  p.c.emplace(connection::accept(p.syn(), p.l, p.ours, p.now));
  p.give(p.rst(7));
  EXPECT_FALSE(p.c->take_events().reset);
  p.give(p.rst(0));
  const auto e = p.c->take_events();
  EXPECT_TRUE(e.reset && e.closed);
  EXPECT_TRUE(p.sent().empty());
}

TEST(opening, options_that_are_absent_are_not_used) {
  scripted_peer p;
  auto syn = p.syn();
  syn.options = {};
  p.half_open(syn);
  const auto sent = p.sent();
  EXPECT_FALSE(sent.at(0).header.options.window_shift);
  EXPECT_FALSE(sent.at(0).header.options.sack_permitted);
  p.give(p.acknowledgement(0));
  p.write(2'000);
  EXPECT_EQ(p.sent().at(0).payload.size(), 536U);
  p.give(p.data(5, "later"));
  EXPECT_EQ(p.sent().at(0).header.options.sack_blocks, 0U);
}

TEST(opening, ours_is_established_by_the_answer) {
  scripted_peer p;
  p.c.emplace(connection::open(p.l, p.ours, p.now));
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].header.flags.syn);
  EXPECT_FALSE(sent[0].header.flags.ack);
  auto answer = p.syn();
  answer.flags.ack = true;
  answer.acknowledged = p.ours + 1;
  p.give(answer);
  EXPECT_TRUE(p.c->take_events().established);
  const auto last = p.sent();
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(p.acknowledges(last[0]), 0U);
}

TEST(opening, ours_is_refused_by_a_reset_that_acknowledges_it) {
  scripted_peer p;
  p.c.emplace(connection::open(p.l, p.ours, p.now));
  p.sent();
  segment refusal;
  refusal.flags.rst = refusal.flags.ack = true;
  refusal.acknowledged = p.ours + 5;
  p.give(refusal);
  EXPECT_FALSE(p.c->take_events().reset);
  refusal.acknowledged = p.ours + 1;
  p.give(refusal);
  EXPECT_TRUE(p.c->take_events().reset);
}

TEST(opening, ours_is_given_up_after_ten_seconds) {
  scripted_peer p;
  p.c.emplace(connection::open(p.l, p.ours, p.now));
  p.sent();
  p.wait(9'990ms);
  EXPECT_EQ(p.answered.size(), 3U);
  EXPECT_FALSE(p.c->take_events().timed_out);
  p.wait(20ms);
  EXPECT_TRUE(p.c->take_events().timed_out);
}

TEST(opening, an_old_connection_of_the_vm_is_reset_and_the_new_one_goes_on) {
  scripted_peer p;
  p.c.emplace(connection::open(p.l, p.ours, p.now));
  p.sent();
  auto challenge = p.acknowledgement(0);
  challenge.acknowledged = sequence{123};
  p.give(challenge);
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].header.flags.rst);
  EXPECT_EQ(sent[0].header.number, sequence{123});
  EXPECT_EQ(p.c->state(), state::syn_sent);
}

TEST(opening, both_at_the_same_time) {
  scripted_peer p;
  p.c.emplace(connection::open(p.l, p.ours, p.now));
  p.sent();
  p.give(p.syn());
  EXPECT_EQ(p.c->state(), state::syn_received);
  EXPECT_TRUE(p.sent().at(0).header.flags.ack);
  auto answer = p.syn();
  answer.flags.ack = true;
  answer.acknowledged = p.ours + 1;
  p.give(answer);
  EXPECT_TRUE(p.c->take_events().established);
}

TEST(opening, an_acknowledgement_of_another_number_is_reset) {
  scripted_peer p;
  p.half_open();
  p.sent();
  p.give(p.acknowledgement(77));
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].header.flags.rst);
  EXPECT_EQ(p.c->state(), state::syn_received);
}

TEST(opening, what_is_written_early_goes_out_with_the_handshakes_end) {
  scripted_peer p;
  p.c.emplace(connection::open(p.l, p.ours, p.now));
  EXPECT_EQ(p.write(100), 100U);
  p.c->finish(p.now);
  EXPECT_EQ(p.sent().size(), 1U);
  auto answer = p.syn();
  answer.flags.ack = true;
  answer.acknowledged = p.ours + 1;
  p.give(answer);
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 100U);
  EXPECT_TRUE(sent[0].header.flags.fin);
  EXPECT_EQ(p.c->state(), state::fin_wait_1);
}

}  // namespace
}  // namespace netstack::tcp
