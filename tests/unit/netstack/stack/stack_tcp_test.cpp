// TCP through whole frames: opening, data, closing, errors, limits.
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
