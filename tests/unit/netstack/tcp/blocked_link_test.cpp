// A link that takes no frames for a long time: nothing is asked of the connection, and time goes on. No count of retries
// goes on with it, and nothing wakes the process again and again.
#include <gtest/gtest.h>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/tcp/scripted_peer.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

// Time passes and the link takes nothing. How often the connection asked for a turn.
std::size_t pass_blocked(scripted_peer& p, duration d) {
  const auto end = p.now + d;
  std::size_t turns = 0;
  for (; p.c->wake_at() <= end && turns < 10'000; ++turns) {
    p.now = std::max(p.now, p.c->wake_at());
    p.c->on_time(p.now);
  }
  p.now = end;
  return turns;
}

void expect_alive(scripted_peer& p) {
  EXPECT_FALSE(p.c->take_events().timed_out);
  EXPECT_EQ(p.c->state(), state::established);
}

TEST(blocked_link, bytes_under_way_wait_for_hours_without_a_retry) {
  for (const bool sack : {false, true}) {
    scripted_peer p;
    p.sack = sack;
    p.accept();
    p.write(10'000);
    const auto before = p.sent();
    EXPECT_LE(pass_blocked(p, 5h), 5U);
    expect_alive(p);
    EXPECT_FALSE(p.sent().empty());  // the link is back
    p.give(p.acknowledgement(10'000));
    EXPECT_TRUE(p.sent().empty());
    EXPECT_EQ(p.write(500), 500U);
    EXPECT_EQ(p.sent().size(), 1U);
    expect_alive(p);
  }
}

TEST(blocked_link, bytes_that_never_went_out_wait_too) {
  scripted_peer p;
  p.accept();
  p.write(10'000);
  EXPECT_LE(pass_blocked(p, 5h), 2U);
  expect_alive(p);
  std::size_t bytes = 0;
  for (const auto& s : p.sent()) bytes += s.payload.size();
  EXPECT_EQ(bytes, 10'000U);
}

TEST(blocked_link, the_wait_begins_when_the_repetition_has_gone_out) {
  scripted_peer p;
  p.sack = false;  // no tail probe
  p.accept();
  p.write(100);
  p.sent();
  pass_blocked(p, 1h);
  EXPECT_EQ(p.sent().size(), 1U);
  p.wait(399ms);  // 200 ms, doubled once
  EXPECT_TRUE(p.answered.empty());
  p.wait(2ms);
  EXPECT_EQ(p.answered.size(), 1U);
}

TEST(blocked_link, a_peer_that_is_gone_when_the_link_is_back_is_found_by_the_retries) {
  scripted_peer p;
  p.accept();
  p.write(100);
  p.sent();
  pass_blocked(p, 1h);
  for (const auto& s : p.sent()) EXPECT_EQ(s.payload.size(), 100U);
  p.wait(10min);
  EXPECT_TRUE(p.c->take_events().timed_out);
}

TEST(blocked_link, a_shut_window_is_not_probed_in_vain) {
  scripted_peer p;
  p.accept();
  p.write(500);
  p.sent();
  p.window = 0;
  p.give(p.acknowledgement(500));
  p.write(500);
  p.sent();
  EXPECT_LE(pass_blocked(p, 5h), 5U);
  expect_alive(p);
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 1U);
  p.window = 64'000;
  p.give(p.acknowledgement(500));
  EXPECT_EQ(p.sent().at(0).payload.size(), 500U);
  p.wait(250ms);  // not acknowledged: a repetition, for the probe that was due holds up no deadline
  EXPECT_FALSE(p.answered.empty());
}

TEST(blocked_link, a_window_that_opens_meanwhile_ends_the_probing) {
  scripted_peer p;
  p.accept();
  p.write(500);
  p.sent();
  p.window = 0;
  p.give(p.acknowledgement(500));
  p.write(500);
  p.sent();
  pass_blocked(p, 1s);
  p.window = 64'000;
  p.give(p.acknowledgement(500));
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 500U);
  p.wait(250ms);
  EXPECT_FALSE(p.answered.empty());
  p.give(p.acknowledgement(1'000));
  expect_alive(p);
}

TEST(blocked_link, an_idle_connection_asks_its_peer_once_the_link_is_back) {
  scripted_peer p;
  p.accept();
  EXPECT_LE(pass_blocked(p, 24h), 2U);
  expect_alive(p);
  EXPECT_EQ(p.sent().size(), 1U);
  p.give(p.acknowledgement(0));
  EXPECT_LE(pass_blocked(p, 24h), 2U);
  expect_alive(p);
  EXPECT_EQ(p.sent().size(), 1U);
  p.wait(10min);  // the peer is gone
  EXPECT_TRUE(p.c->take_events().timed_out);
}

TEST(blocked_link, a_syn_that_has_not_gone_out_is_not_given_up) {
  scripted_peer p;
  p.c.emplace(connection::open(p.l, p.ours, p.now));
  EXPECT_EQ(pass_blocked(p, 1h), 0U);
  EXPECT_EQ(p.c->state(), state::syn_sent);
  EXPECT_TRUE(p.sent().at(0).header.flags.syn);
  p.wait(11s);
  EXPECT_TRUE(p.c->take_events().timed_out);
}

}  // namespace
}  // namespace netstack::tcp
