// A link that takes no frames: the connections behind it wait, and nothing of them is lost.
#include "tests/unit/netstack/stack/tcp_client.hpp"

namespace netstack {
namespace {

// A VM on a link that blocks, with a connection to the host.
class stack_blocked_link : public testing::Test {
 protected:
  void block(bool blocked = true) { all.net.link_blocked(0, blocked); }
  void send(std::size_t size) { EXPECT_EQ(write(all, id, counting(size)), size); }
  // The link accepts nothing for an hour.
  void pass_an_hour() {
    for (int i = 0; i < 60; ++i) all.pass(1min);
    EXPECT_TRUE(all.seen.empty());
  }
  void move_to_link(link_id next) {
    all.net.link_up(next, {}, all.now);
    all.link = next;
  }

  fake_vm all;
  tcp_client client{all};
  flow_id id = client.connect();
};

TEST_F(stack_blocked_link, a_blocked_link_loses_nothing_however_long) {
  block();
  send(5'000);
  pass_an_hour();
  EXPECT_TRUE(all.actions.empty());
  EXPECT_EQ(all.net.counters().timed_out, 0U);
  block(false);
  all.turn();
  EXPECT_EQ(client.receive(), counting(5'000));
  client.ack();
  EXPECT_EQ(all.net.counters().segments_repeated, 0U);
}

TEST_F(stack_blocked_link, a_link_that_blocks_in_the_middle_of_a_transfer_repeats_once_it_is_free) {
  send(5'000);
  all.turn();
  all.seen.clear();  // lost
  block();
  pass_an_hour();
  block(false);
  all.turn();
  EXPECT_GT(all.net.counters().segments_repeated, 0U);
  bytes got;
  // First the tail is probed; this client reports no holes, so the rest takes a time-out.
  for (int i = 0; i < 10; ++i) {
    const auto more = client.receive();
    got.insert(got.end(), more.begin(), more.end());
    if (!more.empty()) client.ack();
    all.pass(1s);
  }
  EXPECT_EQ(got, counting(5'000));
  EXPECT_EQ(all.net.counters().timed_out, 0U);
  EXPECT_TRUE(all.actions.empty());
}

TEST_F(stack_blocked_link, a_vm_that_leaves_a_blocked_link_is_reached_on_its_new_one) {
  block();
  send(3'000);
  all.turn();
  EXPECT_TRUE(all.seen.empty());
  move_to_link(1);
  all.say_where();
  EXPECT_EQ(client.receive(), counting(3'000));
}

TEST_F(stack_blocked_link, the_end_of_a_blocked_link_holds_nothing_up) {
  block();
  send(3'000);
  all.turn();
  all.net.link_down(0, all.now);
  move_to_link(2);
  all.turn();
  all.say_where();
  all.pass(1s);  // a large segment is lost while the VM is looked for, and repeated
  EXPECT_EQ(client.receive(), counting(3'000));
}

}  // namespace
}  // namespace netstack
