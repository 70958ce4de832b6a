// TCP connections to the VM, which the owner opens, through whole frames.
#include <set>

#include "tests/unit/netstack/stack/tcp_client.hpp"

namespace netstack {
namespace {

struct opened {
  flow_id id;
  tcp_client client;
};

opened open(fake_vm& all, endpoint from = {gateway, 0}) {
  const auto id = all.net.open(from, {vm, 8'080}, all.now);
  EXPECT_TRUE(id);
  all.turn();
  const auto syn = all.only_segment();
  EXPECT_TRUE(syn.flags.syn);
  EXPECT_FALSE(syn.flags.ack);
  const auto source = all.last().packet().source;
  return {*id, {all, {vm, 8'080}, {source, syn.source_port}, {9'000}, syn.number + 1}};
}

TEST(stack_open, an_exposed_port_is_opened_and_answered) {
  fake_vm all;
  auto [id, client] = open(all);
  EXPECT_EQ(client.to.address, gateway);
  client.send({.syn = true, .ack = true});
  EXPECT_EQ(all.only<action::established>().flow, id);
  all.seen.clear();
  client.data(text("hello"));
  EXPECT_EQ(all.only<action::readable>().flow, id);
  EXPECT_EQ(take_all(all, id), text("hello"));
}

TEST(stack_open, an_exposed_port_without_a_listener_is_refused) {
  fake_vm all;
  auto [id, client] = open(all);
  client.send({.rst = true, .ack = true});
  const auto refused = all.only<action::refused>();
  EXPECT_EQ(refused.flow, id);
  EXPECT_EQ(refused.reason, std::errc::connection_refused);
  EXPECT_EQ(all.net.counters().flows, 0U);
}

TEST(stack_open, a_reject_rule_of_the_vm_refuses_too) {
  fake_vm all;
  const auto id = all.net.open({gateway, 0}, {vm, 8'080}, all.now);
  all.turn();
  const auto syn = all.only_frame();
  auto forged = to_bytes(syn.frame().payload);
  store_32(forged, ipv4::header_size + 4, load_32(forged, ipv4::header_size + 4) + 100'000);
  all.put_icmp(gateway, icmp::make_error(icmp::type::unreachable, 3, *ipv4::parse(forged)));
  EXPECT_TRUE(all.actions.empty());  // of a number that is not under way
  all.put_icmp(gateway, icmp::make_error(icmp::type::unreachable, 3, syn.packet()));
  const auto refused = all.only<action::refused>();
  EXPECT_EQ(refused.flow, *id);
  EXPECT_EQ(refused.reason, std::errc::connection_refused);
}

TEST(stack_open, silence_of_the_vm_ends_an_open_after_ten_seconds) {
  fake_vm all;
  const auto [id, client] = open(all);
  all.pass(9'999ms);
  EXPECT_TRUE(all.actions.empty());
  EXPECT_FALSE(all.seen.empty());  // the SYN again
  all.pass(1ms);
  const auto refused = all.only<action::refused>();
  EXPECT_EQ(refused.flow, id);
  EXPECT_EQ(refused.reason, std::errc::timed_out);
  EXPECT_EQ(all.net.counters().flows, 0U);
  EXPECT_EQ(all.net.wake_at(), time_point::max());
}

TEST(stack_open, the_vm_sees_the_client_of_the_host) {
  fake_vm all;
  const endpoint lan{{0x0a00'0005}, 51'000};
  auto [id, client] = open(all, lan);
  EXPECT_EQ(client.to, lan);
  client.send({.syn = true, .ack = true});
  EXPECT_EQ(all.only<action::established>().flow, id);
  all.seen.clear();
  EXPECT_EQ(open(all, lan).client.to.address, gateway);  // in use
  client.data(text("to 10.0.0.5"));
  EXPECT_EQ(all.only<action::readable>().flow, id);
}

TEST(stack_open, a_client_of_the_host_may_come_again_from_the_port_of_an_ended_flow) {
  fake_vm all;
  const endpoint lan{{0x0a00'0005}, 51'000};
  auto [id, client] = open(all, lan);
  client.send({.syn = true, .ack = true});
  write(all, id, text("not acknowledged"));
  all.net.finish_with_reset(id, all.now);  // it waits for the VM
  all.turn();
  all.actions.clear();
  all.seen.clear();
  EXPECT_EQ(all.net.counters().flows, 1U);
  auto [second, again] = open(all, lan);
  EXPECT_EQ(again.to, lan);
  EXPECT_EQ(all.net.counters().flows, 1U);
  again.send({.syn = true, .ack = true});
  EXPECT_EQ(all.only<action::established>().flow, second);
}

TEST(stack_open, a_port_is_not_used_again_while_the_vm_may_remember_it) {
  fake_vm all;
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 500; ++i) {
    auto [id, client] = open(all);
    EXPECT_TRUE(ports.insert(client.to.port).second);
    client.send({.rst = true, .ack = true});
    all.actions.clear();
    all.seen.clear();
  }
}

TEST(stack_open, a_syn_waits_for_a_vm_that_has_to_be_found) {
  fake_vm all({}, false);
  const auto id = all.net.open({gateway, 0}, {vm, 8'080}, all.now);
  ASSERT_TRUE(id);
  all.turn();
  EXPECT_TRUE(all.seen.empty());
  all.say_where();
  EXPECT_TRUE(all.only_segment().flags.syn);
}

TEST(stack_open, an_abort_resets_the_vm) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  all.net.abort(id, all.now);
  all.turn();
  EXPECT_TRUE(all.only_segment().flags.rst);
  all.turn();
  EXPECT_TRUE(all.actions.empty());
  EXPECT_EQ(all.net.counters().flows, 0U);
}

// The last bytes and the RST leave in one turn: the frames stay whole until they are written.
TEST(stack_open, a_reset_after_the_last_bytes_leaves_them_whole) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  write(all, id, counting(5'000));
  all.net.finish_with_reset(id, all.now);
  while (all.net.next_action()) continue;
  std::vector<frame_out> turn(10);
  std::size_t frames = 0;
  while (all.net.next_frame(turn[frames], all.now)) ++frames;
  bytes got;
  for (std::size_t i = 0; i < frames; ++i)
    for (std::size_t part = 1; part < 3; ++part)
      got.insert(got.end(), turn[i].parts[part].begin(), turn[i].parts[part].end());
  EXPECT_EQ(got, counting(5'000));
  for (int i = 0; i < 2; ++i) {
    client.next = {5'001};
    client.expected += 5'000;
    client.ack();
  }
  EXPECT_EQ(all.net.counters().flows, 0U);
}

TEST(stack_open, a_reset_of_the_vm_reaches_the_owner) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  client.send({.rst = true});
  EXPECT_EQ(all.only<action::reset>().flow, id);
  EXPECT_EQ(all.net.counters().flows, 0U);
}

}  // namespace
}  // namespace netstack
