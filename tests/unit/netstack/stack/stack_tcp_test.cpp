// TCP through whole frames: opening, data, closing, errors, limits.
#include <set>

#include "tests/unit/netstack/stack/tcp_client.hpp"

namespace netstack {
namespace {

TEST(stack_tcp, a_syn_is_answered_when_the_host_has_accepted) {
  fake_vm all;
  tcp_client client{all};
  client.syn();
  const auto c = all.only<action::connect>();
  EXPECT_EQ(c.from, client.own);
  EXPECT_EQ(c.asked, client.to);
  EXPECT_EQ(c.to, client.to);
  EXPECT_TRUE(all.seen.empty());
  // Repeated at 1 s and 3 s: one connect, no answer.
  for (const auto after : {1s, 2s}) {
    all.pass(after);
    client.next = {5'000};
    client.syn();
    EXPECT_TRUE(all.actions.empty());
    EXPECT_TRUE(all.seen.empty());
  }
  all.net.connected(c.flow, all.now);
  all.turn();
  client.take_syn_ack();
  EXPECT_EQ(all.net.counters().half_open, 1U);
  client.ack();
  EXPECT_EQ(all.net.counters().half_open, 0U);
  EXPECT_EQ(all.net.counters().accepted, 1U);
}

TEST(stack_tcp, data_passes_both_ways_and_both_ends_close) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  client.data(counting(1'000));
  EXPECT_EQ(all.only<action::readable>().flow, id);
  EXPECT_EQ(take_all(all, id), counting(1'000));
  EXPECT_EQ(write(all, id, counting(5'000)), 5'000U);
  all.turn();
  EXPECT_EQ(client.receive(), counting(5'000));
  client.send({.fin = true, .ack = true});
  EXPECT_EQ(all.only<action::finished>().flow, id);
  all.net.finish(id, all.now);
  all.turn();
  client.receive();
  client.ack();
  EXPECT_EQ(all.only<action::closed>().flow, id);
  EXPECT_EQ(all.net.counters().flows, 0U);
  EXPECT_TRUE(all.net.arrived(id).empty());  // the id finds nothing
}

TEST(stack_tcp, what_is_not_consumed_is_kept_beyond_the_batch) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  for (std::uint8_t i = 0; i < 10; ++i) client.data(bytes(1'000, i));
  const auto got = take_all(all, id);
  ASSERT_EQ(got.size(), 10'000U);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], i / 1'000);
}

TEST(stack_tcp, errors_of_connect_by_errno) {
  const std::pair<int, int> codes[] = {{ENETUNREACH, 0}, {EHOSTUNREACH, 1}, {EACCES, 13}, {EPERM, 13}};
  for (const auto& [error, code] : codes) {
    fake_vm all;
    tcp_client client{all};
    client.syn();
    all.net.connect_failed(all.only<action::connect>().flow, error, all.now);
    all.turn();
    const auto m = all.only_icmp();
    EXPECT_TRUE(m.is(icmp::type::unreachable));
    EXPECT_EQ(m.code, code);
    const auto quoted = icmp::parse_quoted(m);
    EXPECT_EQ(quoted->source_port, 40'000);
    EXPECT_EQ(quoted->packet.destination, server);
    EXPECT_EQ(load_32(quoted->packet.payload, 4), 5'000U);  // Linux looks at the number
    EXPECT_EQ(all.net.counters().flows, 0U);
  }
}

TEST(stack_tcp, a_refusal_is_a_reset_that_acknowledges_the_syn_and_its_payload) {
  for (const std::size_t payload : {0UL, 100UL}) {
    fake_vm all;
    tcp_client client{all};
    client.send({.syn = true}, counting(payload));
    all.net.connect_failed(all.only<action::connect>().flow, ECONNREFUSED, all.now);
    all.turn();
    const auto s = all.only_segment();
    EXPECT_TRUE(s.flags.rst);
    EXPECT_TRUE(s.flags.ack);
    EXPECT_EQ(s.acknowledged.value, 5'001 + payload);
    all.turn();
    EXPECT_EQ(all.net.counters().flows, 0U);
  }
}

TEST(stack_tcp, a_connect_without_an_answer_stays_without_one) {
  fake_vm all;
  tcp_client client{all};
  client.syn();
  all.net.connect_failed(all.only<action::connect>().flow, ETIMEDOUT, all.now);
  all.turn();
  EXPECT_TRUE(all.seen.empty());
  EXPECT_EQ(all.net.counters().flows, 0U);
}

TEST(stack_tcp, forbidden_destinations_and_ports_without_a_service_are_refused_at_once) {
  fake_vm all;
  const endpoint refused[] = {{{0x7f00'0001}, 80}, {{0}, 80},     {{0xa9fe'a9fe}, 80}, {{0xf000'0001}, 80},
                              {{0xc0a8'7f07}, 80}, {gateway, 22}, {server, 0}};
  for (const auto& to : refused) {
    tcp_client client{all, {vm, 40'000}, to};
    client.syn();
    const auto s = all.only_segment();
    EXPECT_TRUE(s.flags.rst);
    EXPECT_EQ(s.acknowledged.value, 5'001U);
    EXPECT_EQ(all.last().packet().source, to.address);
  }
  EXPECT_TRUE(all.actions.empty());
  tcp_client group{all, {vm, 40'000}, {{0xe000'0001}, 80}};
  group.syn();
  EXPECT_TRUE(all.seen.empty());
}

TEST(stack_tcp, the_nat_table_and_the_services_of_the_gateway) {
  fake_vm all;
  tcp_client{all, {vm, 40'000}, {host_alias, 80}}.syn();
  const auto c = all.only<action::connect>();
  EXPECT_EQ(c.to, (endpoint{localhost, 80}));
  EXPECT_EQ(c.asked, (endpoint{host_alias, 80}));
  for (const std::uint16_t port : {std::uint16_t{53}, std::uint16_t{80}}) {
    tcp_client{all, {vm, 40'001}, {gateway, port}}.syn();
    EXPECT_EQ(all.only<action::connect>().to, (endpoint{gateway, port}));
  }
  stack_settings settings;
  settings.nat.clear();
  fake_vm without(settings);
  tcp_client{without, {vm, 40'000}, {host_alias, 80}}.syn();
  EXPECT_TRUE(without.only_segment().flags.rst);
}

TEST(stack_tcp, ecn_of_the_vm_is_not_accepted) {
  fake_vm all;
  tcp_client client{all};
  client.send({.syn = true, .ece = true, .cwr = true});
  all.net.connected(all.only<action::connect>().flow, all.now);
  all.turn();
  const auto s = all.only_segment();
  EXPECT_TRUE(s.flags.syn);
  EXPECT_FALSE(s.flags.ece);
}

TEST(stack_tcp, segments_without_a_flow_are_reset_and_resets_are_not_answered) {
  fake_vm all;
  tcp_client client{all};
  client.expected = {77};
  client.ack();
  const auto s = all.only_segment();
  EXPECT_TRUE(s.flags.rst);
  EXPECT_FALSE(s.flags.ack);
  EXPECT_EQ(s.number.value, 77U);
  client.send({.rst = true});
  client.send({.rst = true, .ack = true});
  EXPECT_TRUE(all.seen.empty());
}

// ---- To the VM

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

TEST(stack_tcp, an_exposed_port_is_opened_and_answered) {
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

TEST(stack_tcp, an_exposed_port_without_a_listener_is_refused) {
  fake_vm all;
  auto [id, client] = open(all);
  client.send({.rst = true, .ack = true});
  const auto refused = all.only<action::refused>();
  EXPECT_EQ(refused.flow, id);
  EXPECT_EQ(refused.reason, std::errc::connection_refused);
  EXPECT_EQ(all.net.counters().flows, 0U);
}

TEST(stack_tcp, a_reject_rule_of_the_vm_refuses_too) {
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

TEST(stack_tcp, silence_of_the_vm_ends_an_open_after_ten_seconds) {
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

TEST(stack_tcp, the_vm_sees_the_client_of_the_host) {
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

TEST(stack_tcp, a_client_of_the_host_may_come_again_from_the_port_of_an_ended_flow) {
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

TEST(stack_tcp, a_port_is_not_used_again_while_the_vm_may_remember_it) {
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

TEST(stack_tcp, a_syn_waits_for_a_vm_that_has_to_be_found) {
  fake_vm all({}, false);
  const auto id = all.net.open({gateway, 0}, {vm, 8'080}, all.now);
  ASSERT_TRUE(id);
  all.turn();
  EXPECT_TRUE(all.seen.empty());
  all.say_where();
  EXPECT_TRUE(all.only_segment().flags.syn);
}

TEST(stack_tcp, an_abort_resets_the_vm) {
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
TEST(stack_tcp, a_reset_after_the_last_bytes_leaves_them_whole) {
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

TEST(stack_tcp, a_reset_of_the_vm_reaches_the_owner) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  client.send({.rst = true});
  EXPECT_EQ(all.only<action::reset>().flow, id);
  EXPECT_EQ(all.net.counters().flows, 0U);
}

// ---- Sizes

TEST(stack_tcp, fragmentation_needed_makes_segments_smaller) {
  fake_vm all;
  tcp_client client{all};
  const auto id = client.connect();
  write(all, id, counting(3'000));
  all.turn();
  ASSERT_FALSE(all.seen.empty());
  const auto large = all.seen.front();
  EXPECT_EQ(large.packet().payload.size(), 1'480U);
  all.seen.clear();
  all.put_icmp(gateway, icmp::make_error(icmp::type::unreachable, 4, large.packet(), 1'300));
  write(all, id, counting(3'000));
  all.turn();
  all.pass(3s);
  ASSERT_FALSE(all.seen.empty());
  for (const auto& frame : all.seen) EXPECT_LE(frame.whole.size(), 14U + 1'300U);
}

TEST(stack_tcp, an_offload_link_gets_large_segments_within_its_size) {
  stack_settings settings;
  fake_vm all(settings);
  all.net.link_up(0, {.checksum_offload = true, .most_segment_data = 20'000}, all.now);
  all.pull();
  all.seen.clear();
  tcp_client client{all};
  const auto id = client.connect();
  const auto sent = counting(40'000);
  bytes got;
  std::size_t largest = 0, written = 0;
  for (int round = 0; round < 20 && got.size() < sent.size(); ++round) {
    written += write(all, id, bytes_view(sent).subspan(written));
    all.turn();
    for (const auto& frame : all.seen) {
      const auto data = tcp::parse(frame.packet(), tcp::check::skip)->payload.size();
      largest = std::max(largest, data);
      EXPECT_LE(data, 20'000U);
      EXPECT_EQ(frame.how.gso_size, data > 1'460 ? 1'460 : 0);
    }
    const auto part = client.receive();
    got.insert(got.end(), part.begin(), part.end());
    client.ack();
  }
  EXPECT_EQ(got.size(), sent.size());
  EXPECT_EQ(got, sent);
  EXPECT_GT(largest, 1'460U);
  // The same VM comes back over a plain link: its old connection goes on in plain frames.
  all.net.link_down(0, all.now);
  all.net.link_up(0, {}, all.now);
  all.say_where();
  all.seen.clear();
  write(all, id, sent);
  all.turn();
  ASSERT_FALSE(all.seen.empty());
  for (const auto& frame : all.seen) {
    EXPECT_LE(frame.whole.size(), 1'514U);
    EXPECT_EQ(frame.how, offload{});
  }
}

TEST(stack_tcp, the_oldest_of_too_many_connections_in_time_wait_is_forgotten) {
  stack_settings settings;
  settings.limits.time_wait = 2;
  fake_vm all(settings);
  std::vector<tcp_client> clients;
  for (std::uint16_t i = 0; i < 3; ++i) {
    auto& client = clients.emplace_back(tcp_client{all, {vm, static_cast<std::uint16_t>(10'000 + i)}});
    all.net.finish(client.connect(), all.now);
    all.turn();
    EXPECT_TRUE(all.only_segment().flags.fin);
    all.seen.clear();
    client.expected += 1U;
    client.send({.fin = true, .ack = true});
    EXPECT_EQ(all.only_segment().acknowledged, client.next);
    all.seen.clear();
    all.actions.clear();
  }
  EXPECT_EQ(all.net.counters().flows, 2U);
  for (std::size_t i = 0; i < 3; ++i) {
    clients[i].next = clients[i].next - 1U;
    clients[i].send({.fin = true, .ack = true});  // as if our acknowledgement had been lost
    EXPECT_EQ(all.only_segment().flags.rst, i == 0) << i;
    all.seen.clear();
  }
}

}  // namespace
}  // namespace netstack
