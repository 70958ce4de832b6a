// A link that takes no frames for a long time: nothing is asked of the connection, and time goes on. No count of
// retries goes on with it, and nothing wakes the process again and again.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/tcp/scripted_peer.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

class blocked_link : public testing::Test {
 protected:
  // Time passes and the link takes nothing. How often the connection asked for a turn.
  std::size_t pass_blocked(duration d) {
    const auto end = p.now + d;
    std::size_t turns = 0;
    for (; p.c->wake_at() <= end && turns < 10'000; ++turns) {
      p.now = std::max(p.now, p.c->wake_at());
      p.c->on_time(p.now);
    }
    p.now = end;
    return turns;
  }
  void expect_alive() {
    EXPECT_FALSE(p.c->take_events().timed_out);
    EXPECT_EQ(p.c->state(), state::established);
  }
  void accept_and_send(std::size_t size) {
    p.accept();
    p.write(size);
    p.sent();
  }
  // 500 bytes wait for a window that the peer has shut.
  void wait_for_the_window() {
    accept_and_send(500);
    p.window = 0;
    p.give(p.acknowledgement(500));
    p.write(500);
    p.sent();
  }
  // The segments of the peer's answer when it has opened its window.
  std::vector<carried> open_the_window() {
    p.window = 64'000;
    p.give(p.acknowledgement(500));
    return p.sent();
  }

  scripted_peer p;
};

TEST_F(blocked_link, bytes_under_way_wait_for_hours_without_a_retry) {
  for (const bool sack : {false, true}) {
    p.sack = sack;
    p.accept();
    p.write(10'000);
    const auto before = p.sent();
    EXPECT_LE(pass_blocked(5h), 5U);
    expect_alive();
    EXPECT_FALSE(p.sent().empty());  // the link is back
    p.give(p.acknowledgement(10'000));
    EXPECT_TRUE(p.sent().empty());
    EXPECT_EQ(p.write(500), 500U);
    EXPECT_EQ(p.sent().size(), 1U);
    expect_alive();
  }
}

TEST_F(blocked_link, bytes_that_never_went_out_wait_too) {
  p.accept();
  p.write(10'000);
  EXPECT_LE(pass_blocked(5h), 2U);
  expect_alive();
  std::size_t bytes = 0;
  for (const auto& s : p.sent()) bytes += s.payload.size();
  EXPECT_EQ(bytes, 10'000U);
}

TEST_F(blocked_link, the_wait_begins_when_the_repetition_has_gone_out) {
  p.sack = false;  // no tail probe
  accept_and_send(100);
  pass_blocked(1h);
  EXPECT_EQ(p.sent().size(), 1U);
  p.wait(399ms);  // 200 ms, doubled once
  EXPECT_TRUE(p.answered.empty());
  p.wait(2ms);
  EXPECT_EQ(p.answered.size(), 1U);
}

TEST_F(blocked_link, a_peer_that_is_gone_when_the_link_is_back_is_found_by_the_retries) {
  accept_and_send(100);
  pass_blocked(1h);
  for (const auto& s : p.sent()) EXPECT_EQ(s.payload.size(), 100U);
  p.wait(10min);
  EXPECT_TRUE(p.c->take_events().timed_out);
}

TEST_F(blocked_link, a_shut_window_is_not_probed_in_vain) {
  wait_for_the_window();
  EXPECT_LE(pass_blocked(5h), 5U);
  expect_alive();
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 1U);
  EXPECT_EQ(open_the_window().at(0).payload.size(), 500U);
  p.wait(250ms);  // not acknowledged: a repetition, for the probe that was due holds up no deadline
  EXPECT_FALSE(p.answered.empty());
}

TEST_F(blocked_link, a_window_that_opens_meanwhile_ends_the_probing) {
  wait_for_the_window();
  pass_blocked(1s);
  const auto sent = open_the_window();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 500U);
  p.wait(250ms);
  EXPECT_FALSE(p.answered.empty());
  p.give(p.acknowledgement(1'000));
  expect_alive();
}

TEST_F(blocked_link, an_idle_connection_asks_its_peer_once_the_link_is_back) {
  p.accept();
  EXPECT_LE(pass_blocked(24h), 2U);
  expect_alive();
  EXPECT_EQ(p.sent().size(), 1U);
  p.give(p.acknowledgement(0));
  EXPECT_LE(pass_blocked(24h), 2U);
  expect_alive();
  EXPECT_EQ(p.sent().size(), 1U);
  p.wait(10min);  // the peer is gone
  EXPECT_TRUE(p.c->take_events().timed_out);
}

TEST_F(blocked_link, a_syn_that_has_not_gone_out_is_not_given_up) {
  p.c.emplace(connection::open(p.l, p.ours, p.now));
  EXPECT_EQ(pass_blocked(1h), 0U);
  EXPECT_EQ(p.c->state(), state::syn_sent);
  EXPECT_TRUE(p.sent().at(0).header.flags.syn);
  p.wait(11s);
  EXPECT_TRUE(p.c->take_events().timed_out);
}

}  // namespace
}  // namespace netstack::tcp
