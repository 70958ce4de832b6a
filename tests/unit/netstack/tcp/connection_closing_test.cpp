// Ends of a connection: half-closes, resets, dead peers; each segment written out.
#include <gtest/gtest.h>

#include "netstack/tcp/connection.hpp"
#include "tests/unit/netstack/tcp/scripted_peer.hpp"

namespace netstack::tcp {
namespace {

using namespace std::chrono_literals;

TEST(closing, the_vm_first) {
  scripted_peer p;
  p.accept();
  p.give(p.data(0, "last words"));
  p.give(p.fin(10));
  EXPECT_EQ(p.c->state(), state::close_wait);
  EXPECT_FALSE(p.c->take_events().peer_finished);  // the bytes come first
  EXPECT_EQ(p.read(), "last words");
  EXPECT_TRUE(p.c->take_events().peer_finished);
  EXPECT_FALSE(p.c->take_events().peer_finished);
  EXPECT_EQ(p.acknowledges(p.sent().at(0)), 11U);
  p.write(5);
  p.c->finish(p.now);
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].header.flags.fin);
  EXPECT_EQ(p.c->state(), state::last_ack);
  p.give(p.acknowledgement(6, {}, 11));
  EXPECT_TRUE(p.c->take_events().closed);
  EXPECT_EQ(p.c->wake_at(), never);
}

TEST(closing, the_host_first_and_bytes_come_later) {
  scripted_peer p;
  p.accept();
  p.c->finish(p.now);
  EXPECT_TRUE(p.sent().at(0).header.flags.fin);
  p.give(p.acknowledgement(1));
  EXPECT_EQ(p.c->state(), state::fin_wait_2);
  p.wait(30s);
  p.give(p.data(0, "later", 1));
  EXPECT_EQ(p.read(), "later");
  p.give(p.fin(5, 1));
  EXPECT_EQ(p.c->state(), state::time_wait);
  EXPECT_EQ(p.acknowledges(p.sent().at(0)), 6U);
  p.give(p.fin(5, 1));  // the acknowledgement was lost
  EXPECT_EQ(p.acknowledges(p.sent().at(0)), 6U);
  EXPECT_FALSE(p.c->take_events().closed);
  p.wait(600ms);
  EXPECT_TRUE(p.c->take_events().closed);
}

TEST(closing, both_at_the_same_time) {
  scripted_peer p;
  p.accept();
  p.c->finish(p.now);
  p.sent();
  p.give(p.fin(0));
  EXPECT_EQ(p.c->state(), state::closing);
  EXPECT_EQ(p.sent().size(), 1U);
  p.give(p.acknowledgement(1, {}, 1));
  EXPECT_EQ(p.c->state(), state::time_wait);
}

TEST(closing, a_new_syn_takes_the_place_of_time_wait) {
  scripted_peer p;
  p.accept();
  auto again = p.syn();
  again.number += 100'000;
  EXPECT_FALSE(p.c->gives_way_to(again));
  p.c->finish(p.now);
  p.sent();
  p.give(p.fin(0, 1));
  EXPECT_EQ(p.c->state(), state::time_wait);
  EXPECT_TRUE(p.c->gives_way_to(again));
  EXPECT_FALSE(p.c->gives_way_to(p.syn()));
}

TEST(closing, a_fin_out_of_order_waits_for_what_is_before_it) {
  scripted_peer p;
  p.accept();
  p.give(p.fin(5));
  EXPECT_EQ(p.c->state(), state::established);
  p.give(p.data(0, "hello"));
  EXPECT_EQ(p.c->state(), state::close_wait);
}

TEST(closing, a_lost_fin_is_repeated) {
  scripted_peer p;
  p.accept();
  p.write(10);
  p.c->finish(p.now);
  p.sent();
  p.wait(1s);
  ASSERT_FALSE(p.answered.empty());
  EXPECT_TRUE(p.answered[0].header.flags.fin);
  EXPECT_EQ(p.answered[0].payload.size(), 10U);
}

TEST(closing, the_fin_passes_a_closed_window) {
  scripted_peer p;
  p.window = 0;
  p.accept();
  p.c->finish(p.now);
  EXPECT_TRUE(p.sent().at(0).header.flags.fin);
}

TEST(closing, bytes_after_the_fin_are_dropped) {
  scripted_peer p;
  p.accept();
  p.give(p.fin(0));
  p.give(p.data(1, "ghost"));
  EXPECT_TRUE(p.c->arrived().empty());
}

TEST(closing, a_byte_in_the_place_of_the_fin_is_not_taken) {
  scripted_peer p;
  p.accept();
  p.give(p.data(0, "0123456789abcdef"));  // the numbers wrap behind the last one
  p.give(p.fin(16));
  EXPECT_EQ(p.read(), "0123456789abcdef");
  p.sent();
  static_cast<void>(p.c->take_events());
  p.give(p.data(15, "fX"));
  EXPECT_TRUE(p.c->arrived().empty());
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.acknowledges(sent[0]), 17U);
  EXPECT_EQ(sent[0].header.options.sack[0], (sack_block{p.theirs + 16, p.theirs + 17}));
  p.give(p.data(16, "X"));
  EXPECT_TRUE(p.c->arrived().empty());
  EXPECT_EQ(p.c->take_events(), events{});
}

// --- resets

TEST(resetting, the_vms_reset_follows_its_bytes) {
  scripted_peer p;
  p.accept();
  p.give(p.data(0, "last words"));
  p.give(p.rst(10));
  p.c->keep();
  auto e = p.c->take_events();
  EXPECT_TRUE(e.readable);
  EXPECT_FALSE(e.reset);
  EXPECT_EQ(p.read(), "last words");
  e = p.c->take_events();
  EXPECT_TRUE(e.reset && e.closed);
  EXPECT_TRUE(p.sent().empty());
  EXPECT_EQ(p.c->take_events(), events{});
}

TEST(resetting, in_the_window_it_is_challenged_and_outside_ignored) {
  scripted_peer p;
  p.accept();
  p.give(p.rst(1'000));
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(p.acknowledges(sent[0]), 0U);
  p.give(p.rst(0x1000'0000));
  p.give(p.rst(0xffff'fff0));
  EXPECT_TRUE(p.sent().empty());
  EXPECT_EQ(p.c->state(), state::established);
  EXPECT_FALSE(p.c->take_events().reset);
  p.give(p.rst(0));
  EXPECT_TRUE(p.c->take_events().reset);
}

TEST(resetting, abort_is_one_reset_at_the_next_number) {
  scripted_peer p;
  p.accept();
  p.write(100);
  p.sent();
  p.write(100);
  p.give(p.data(0, "x"));
  p.c->abort();
  const auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].header.flags.rst);
  EXPECT_EQ(p.offset(sent[0]), 100U);
  EXPECT_TRUE(p.c->take_events().closed);
  EXPECT_EQ(p.c->memory(), 0U);
}

TEST(resetting, the_hosts_reset_follows_its_bytes) {
  scripted_peer p;
  p.accept();
  p.write(100);
  p.c->finish_with_reset(p.now);
  auto sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].payload.size(), 100U);
  EXPECT_FALSE(sent[0].header.flags.fin);
  p.give(p.acknowledgement(100));
  sent = p.sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].header.flags.rst);
  EXPECT_TRUE(p.c->take_events().closed);
}

TEST(resetting, the_vms_reset_ends_a_connection_that_resets_behind_its_bytes) {
  scripted_peer p;
  p.accept();
  p.write(100);
  p.give(p.data(0, "held"));
  p.c->keep();
  p.c->finish_with_reset(p.now);
  p.sent();
  p.give(p.data(4, "more"));
  p.give(p.rst(8));
  EXPECT_TRUE(p.c->take_events().closed);
  EXPECT_EQ(p.c->wake_at(), never);
  EXPECT_EQ(p.c->memory(), 0U);
}

TEST(resetting, after_the_hosts_bytes_the_vm_may_send_more_than_its_window) {
  scripted_peer p;
  p.accept();
  p.write(100);
  p.c->finish_with_reset(p.now);
  p.sent();
  const std::string payload(1'000, 'x');
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    p.give(p.data(i * 1'000, payload));
    EXPECT_TRUE(p.c->arrived().empty());
    p.c->keep();
    const auto sent = p.sent();
    ASSERT_EQ(sent.size(), 1U);
    ASSERT_EQ(p.acknowledges(sent[0]), (i + 1) * 1'000);
  }
  EXPECT_FALSE(p.c->take_events().closed);
  p.give(p.acknowledgement(100, {}, 1'000'000));
  EXPECT_TRUE(p.sent().at(0).header.flags.rst);
  EXPECT_TRUE(p.c->take_events().closed);
}

TEST(resetting, a_syn_flood_with_resets_leaves_nothing) {
  scripted_peer p;
  p.half_open();
  p.sent();
  p.give(p.rst(0));
  const auto e = p.c->take_events();
  EXPECT_TRUE(e.reset && e.closed);
  EXPECT_EQ(p.c->wake_at(), never);
  EXPECT_EQ(p.c->memory(), 0U);
}

// --- silence

TEST(silence, an_idle_connection_whose_peer_answers_lives_for_ever) {
  scripted_peer p;
  p.accept();
  std::size_t probes = 0;
  for (int i = 0; i < 3 * 360; ++i) {
    p.wait(10s);
    for (const auto& s : p.answered) {
      EXPECT_EQ(s.header.number, p.ours);
      p.give(p.acknowledgement(0));
      ++probes;
    }
    p.answered.clear();
  }
  EXPECT_GE(probes, 30U);
  EXPECT_LE(probes, 45U);
  EXPECT_EQ(p.c->state(), state::established);
  p.give(p.data(0, "still here"));
  EXPECT_EQ(p.read(), "still here");
  EXPECT_EQ(p.write(5), 5U);
  EXPECT_EQ(p.sent().at(0).payload.size(), 5U);
}

TEST(silence, a_dead_peer_is_found_within_ten_minutes) {
  scripted_peer p;
  p.accept();
  p.wait(4min - 1s);
  EXPECT_TRUE(p.answered.empty());
  p.wait(6min);
  EXPECT_TRUE(p.c->take_events().timed_out);
  EXPECT_EQ(p.c->state(), state::closed);
}

TEST(silence, a_vm_that_forgot_fin_wait_2_resets_the_probe) {
  scripted_peer p;
  p.accept();
  p.give(p.fin(0));
  p.sent();
  static_cast<void>(p.c->take_events());
  p.wait(5min);
  ASSERT_FALSE(p.answered.empty());
  p.give(p.rst(1));
  EXPECT_TRUE(p.c->take_events().reset);
}

TEST(silence, the_vms_keep_alive_is_answered) {
  scripted_peer p;
  p.accept();
  auto probe = p.acknowledgement(0);
  probe.number = p.theirs;
  p.give(probe);
  EXPECT_EQ(p.sent().size(), 1U);
}

TEST(silence, half_closed_idle_and_reset_connections_sleep) {
  scripted_peer half, shut, reset;
  for (auto* p : {&half, &shut, &reset}) p->accept();
  half.give(half.fin(0));
  shut.write(10);
  shut.sent();
  shut.window = 0;
  shut.give(shut.acknowledgement(10));
  shut.write(10);
  reset.give(reset.rst(0));
  const auto wake_ups = [](scripted_peer& p, duration d) {
    const auto end = p.now + d;
    std::size_t count = 0;
    for (; p.c->wake_at() <= end; ++count) {
      p.now = p.c->wake_at();
      p.c->on_time(p.now);
      if (!p.sent().empty()) p.give(p.acknowledgement(10));
    }
    return count;
  };
  EXPECT_LE(wake_ups(half, 1min), 2U);
  EXPECT_LE(wake_ups(shut, 1min), 12U);  // probes: 0.2, 0.6, 1.4 … s
  EXPECT_EQ(wake_ups(reset, 1min), 0U);
}

TEST(silence, a_stopped_process_asks_before_it_gives_up) {
  scripted_peer p;
  p.accept();
  for (int i = 0; i < 3; ++i) {
    p.now += 1h;
    p.c->on_time(p.now);
    EXPECT_EQ(p.sent().size(), 1U);
    EXPECT_GT(p.c->wake_at(), p.now);
    p.give(p.acknowledgement(0));
  }
  EXPECT_FALSE(p.c->take_events().timed_out);
}

}  // namespace
}  // namespace netstack::tcp
