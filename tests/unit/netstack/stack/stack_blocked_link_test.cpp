// A link that takes no frames: the connections behind it wait, and nothing of them is lost.
#include "tests/unit/netstack/stack/tcp_client.hpp"

namespace netstack {
namespace {

TEST(stack_blocked_link, a_blocked_link_loses_nothing_however_long) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  all.net.link_blocked(0, true);
  EXPECT_EQ(write(all, id, counting(5'000)), 5'000U);
  for (int i = 0; i < 60; ++i) all.pass(1min);
  EXPECT_TRUE(all.seen.empty());
  EXPECT_TRUE(all.actions.empty());
  EXPECT_EQ(all.net.counters().timed_out, 0U);
  all.net.link_blocked(0, false);
  all.turn();
  EXPECT_EQ(client.receive(), counting(5'000));
  client.ack();
  EXPECT_EQ(all.net.counters().segments_repeated, 0U);
}

TEST(stack_blocked_link, a_link_that_blocks_in_the_middle_of_a_transfer_repeats_once_it_is_free) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  EXPECT_EQ(write(all, id, counting(5'000)), 5'000U);
  all.turn();
  all.seen.clear();  // lost
  all.net.link_blocked(0, true);
  for (int i = 0; i < 60; ++i) all.pass(1min);
  EXPECT_TRUE(all.seen.empty());
  all.net.link_blocked(0, false);
  all.turn();
  EXPECT_GT(all.net.counters().segments_repeated, 0U);
  bytes got;
  for (int i = 0; i < 10;
       ++i) {  // first the tail is probed; this client reports no holes, so the rest takes a time-out
    const auto more = client.receive();
    got.insert(got.end(), more.begin(), more.end());
    if (!more.empty()) client.ack();
    all.pass(1s);
  }
  EXPECT_EQ(got, counting(5'000));
  EXPECT_EQ(all.net.counters().timed_out, 0U);
  EXPECT_TRUE(all.actions.empty());
}

TEST(stack_blocked_link, a_vm_that_leaves_a_blocked_link_is_reached_on_its_new_one) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  all.net.link_blocked(0, true);
  EXPECT_EQ(write(all, id, counting(3'000)), 3'000U);
  all.turn();
  EXPECT_TRUE(all.seen.empty());
  all.net.link_up(1, {}, all.now);
  all.link = 1;
  all.say_where();
  EXPECT_EQ(client.receive(), counting(3'000));
}

TEST(stack_blocked_link, the_end_of_a_blocked_link_holds_nothing_up) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  all.net.link_blocked(0, true);
  EXPECT_EQ(write(all, id, counting(3'000)), 3'000U);
  all.turn();
  all.net.link_down(0, all.now);
  all.net.link_up(2, {}, all.now);
  all.link = 2;
  all.turn();
  all.say_where();
  all.pass(1s);  // a large segment is lost while the VM is looked for, and repeated
  EXPECT_EQ(client.receive(), counting(3'000));
}

}  // namespace
}  // namespace netstack
