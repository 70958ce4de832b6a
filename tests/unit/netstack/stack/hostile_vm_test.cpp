// A VM that means harm: tables and memory stay bounded, other flows go on, nothing wrong is sent.
#include <random>

#include "tests/unit/netstack/stack/hostile.hpp"

namespace netstack {
namespace {

TEST(hostile_vm, a_flood_of_syns_costs_the_oldest_connects_and_nothing_else) {
  fake_vm all;
  tcp_client good{all, {vm, 39'999}};
  const auto id = good.connect();
  tcp::segment syn;
  syn.flags.syn = true;
  std::size_t connects = 0, resets = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    all.put_tcp({vm, static_cast<std::uint16_t>(1 + i % 30'000)}, {{0x0a00'0000 + i}, 80}, syn);
    for (const auto& a : std::exchange(all.actions, {})) {
      connects += std::holds_alternative<action::connect>(a) ? 1 : 0;
      resets += std::holds_alternative<action::reset>(a) ? 1 : 0;
    }
    ASSERT_LE(all.net.counters().half_open, stack_limits{}.half_open);
  }
  EXPECT_EQ(connects, 20'000U);
  EXPECT_EQ(resets, 20'000 - stack_limits{}.half_open);  // the owner closes their sockets
  expect_alive(all, good, id);
  // And a new connection to a good server is up at once.
  tcp_client another{all, {vm, 39'998}};
  const auto second = another.connect();
  expect_alive(all, another, second);
}

TEST(hostile_vm, two_hundred_connects_that_never_answer_delay_no_other) {
  fake_vm all;
  for (std::uint16_t i = 0; i < 200; ++i) {
    tcp_client waiting{all, {vm, static_cast<std::uint16_t>(10'000 + i)}};
    waiting.syn();
  }
  all.actions.clear();
  tcp_client good{all};
  const auto id = good.connect();
  expect_alive(all, good, id);
}

TEST(hostile_vm, syn_and_reset_twenty_thousand_times_leave_nothing) {
  fake_vm all;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    tcp_client client{all, {vm, static_cast<std::uint16_t>(1'024 + i % 60'000)}};
    client.syn();
    all.net.connected(all.only<action::connect>().flow, all.now);
    all.turn();
    client.take_syn_ack();
    client.send({.rst = true});
    all.actions.clear();
    all.seen.clear();
  }
  const auto after = all.net.counters();
  EXPECT_EQ(after.flows, 0U);
  EXPECT_EQ(after.half_open, 0U);
  EXPECT_EQ(after.tcp_memory, 0U);
  tcp_client good{all};
  const auto id = good.connect();
  expect_alive(all, good, id);
}

TEST(hostile_vm, more_connections_than_flows_are_refused_and_the_others_go_on) {
  stack_settings settings;
  settings.limits.flows = 100;
  fake_vm all(settings);
  std::vector<tcp_client> clients;
  std::vector<flow_id> ids;
  for (std::uint16_t i = 0; i < 100; ++i) {
    clients.push_back({all, {vm, static_cast<std::uint16_t>(10'000 + i)}});
    ids.push_back(clients.back().connect());
  }
  tcp_client one_more{all};
  one_more.syn();
  EXPECT_TRUE(all.only_segment().flags.rst);
  EXPECT_TRUE(all.actions.empty());
  EXPECT_FALSE(all.net.open({gateway, 0}, {vm, 80}, all.now));
  EXPECT_EQ(all.net.counters().flows_refused, 2U);
  for (std::size_t i = 0; i < 100; ++i) expect_alive(all, clients[i], ids[i]);
}

TEST(hostile_vm, spoofed_sources_are_dropped_and_counted) {
  fake_vm all;
  tcp::segment syn;
  syn.flags.syn = true;
  for (const std::uint32_t from : {0xc0a8'7f03U, 0xc0a8'7f01U, 0x0a00'0001U, 0U, 0x7f00'0001U, 0xffff'ffffU}) {
    all.put_tcp({{from}, 1'000}, {server, 80}, syn);
    all.put_udp({{from}, 1'000}, {server, 80}, text("x"));
  }
  all.mac = other_mac;
  all.put_udp({vm, 1'000}, {server, 80}, text("x"));
  all.arp_message(arp::operation::reply, vm, gateway);
  all.arp_message(arp::operation::request, gateway, gateway);
  EXPECT_TRUE(all.actions.empty());
  EXPECT_TRUE(all.seen.empty());
  EXPECT_EQ(all.net.counters().spoofed, 15U);
  // The VM is still where it was.
  all.net.send_datagram({gateway, 53}, {vm, 1}, text("a"), false, all.now);
  all.pull();
  EXPECT_EQ(all.only_frame().frame().destination, vm_mac);
}

TEST(hostile_vm, arp_from_invented_machines_fills_no_table) {
  fake_vm all;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    all.mac = {{2, 0, 0, 0, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}};
    all.arp_message(arp::operation::reply, {0xc0a87f00 + i % 256}, gateway);
    all.arp_message(arp::operation::request, {}, {0xc0a87f00 + i % 256});
  }
  EXPECT_EQ(all.net.counters().neighbours, 1U);
  EXPECT_EQ(all.net.counters().spoofed, 10'000U);
}

TEST(hostile_vm, fragments_that_overlap_or_never_end_stay_within_their_bound) {
  fake_vm all;
  tcp_client good{all};
  const auto id = good.connect();
  std::mt19937 random(9);
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const auto offset = static_cast<std::uint16_t>(random() % 8'000 * 8);
    all.put_packet(make_packet({.source = vm,
                                .destination = server,
                                .protocol = ipv4::protocol::udp,
                                .id = static_cast<std::uint16_t>(random() % 1'000),
                                .fragment_offset = offset,
                                .more_fragments = true},
                               bytes(8 + random() % 100 * 8)));
    ASSERT_LE(all.net.counters().fragments_waiting, fragment_limits{}.most_datagrams);
  }
  EXPECT_GT(all.net.counters().fragments_dropped, 0U);
  expect_alive(all, good, id);
  all.pass(31s);
  EXPECT_EQ(all.net.counters().fragments_waiting, 0U);
}

TEST(hostile_vm, frames_of_any_length_and_with_wrong_lengths) {
  fake_vm all;
  for (const std::size_t size : {0UL, 1UL, 13UL, 14UL, 33UL, 34UL, 65'535UL}) {
    all.put(bytes(size));
    bytes to_us(size);
    if (size >= 14) ethernet::write_header(to_us, gateway_mac, vm_mac, ethernet::ethertype::ipv4);
    if (size >= 15) to_us[14] = 0x4f;
    all.put(to_us);
  }
  // A right datagram whose lengths are changed one by one.
  bytes datagram(udp::header_size + 32);
  udp::write_header(datagram, vm, server, 1, 2);
  for (std::uint32_t length = 0; length < 65'536; length += 7) {
    auto packet = make_packet({.source = vm, .destination = server, .protocol = ipv4::protocol::udp}, datagram);
    store_16(packet, ipv4::header_size + 4, static_cast<std::uint16_t>(length));
    store_16(packet, ipv4::header_size + 6, 0);
    if (length != datagram.size() && (length < 8 || length > datagram.size())) all.put_packet(packet);
    store_16(packet, 2, static_cast<std::uint16_t>(length));
    store_16(packet, 10, 0);
    store_16(packet, 10, checksum(bytes_view(packet).first(20)));
    if (length > packet.size() || length < 28) all.put_packet(packet);
  }
  EXPECT_TRUE(all.actions.empty());
  EXPECT_TRUE(all.seen.empty());
  EXPECT_GT(all.net.counters().malformed, 18'000U);
}

TEST(hostile_vm, errors_are_not_sent_faster_than_the_limit) {
  fake_vm all;
  for (std::uint32_t i = 0; i < 5'000; ++i) all.put_udp({vm, 1}, {gateway, 9}, text("x"));
  EXPECT_EQ(all.seen.size(), stack_limits{}.errors_a_second);
  EXPECT_EQ(all.net.counters().errors_suppressed, 5'000 - stack_limits{}.errors_a_second);
  all.seen.clear();
  all.pass(1s);
  all.put_udp({vm, 1}, {gateway, 9}, text("x"));
  EXPECT_EQ(all.only_icmp().code, 3);
}

TEST(hostile_vm, a_slow_receiver_bounds_the_memory_of_all_flows) {
  stack_settings settings;
  settings.limits.receive_memory = std::size_t{2} << 20U;
  settings.limits.send_memory = std::size_t{2} << 20U;
  fake_vm all(settings);
  std::vector<tcp_client> clients;
  for (std::uint16_t i = 0; i < 64; ++i) {
    clients.push_back({all, {vm, static_cast<std::uint16_t>(10'000 + i)}});
    clients.back().connect();
  }
  // No socket of the host takes anything, and the VM ignores the windows.
  for (int round = 0; round < 400; ++round)
    for (auto& client : clients) client.data(bytes(1'460));
  const auto now = all.net.counters();
  EXPECT_LE(now.tcp_memory, std::size_t{8} << 20U);
  EXPECT_GT(now.tcp_memory, std::size_t{1} << 19U);
}

TEST(hostile_vm, a_segment_above_the_memory_bound_still_acknowledges) {
  stack_settings settings;
  settings.limits.receive_memory = 1;
  fake_vm all(settings);
  tcp_client client{all};
  const auto id = client.connect();
  client.data(counting(1'000));  // the owner leaves it
  write(all, id, counting(100));
  all.turn();
  all.actions.clear();
  EXPECT_EQ(client.receive(), counting(100));
  client.send({.fin = true, .ack = true}, text("dropped"));
  EXPECT_EQ(all.net.counters().memory_full, 1U);
  EXPECT_EQ(take_all(all, id), counting(1'000));
  all.pass(3s);
  for (const auto& frame : std::exchange(all.seen, {}))  // nothing goes out again: the acknowledgement counted
    EXPECT_TRUE(tcp::parse(frame.packet(), tcp::check::skip)->payload.empty());
  for (const auto& a : all.actions) EXPECT_FALSE(std::holds_alternative<action::finished>(a));
  all.actions.clear();
  client.next = {6'001};
  client.send({.fin = true, .ack = true}, text("again"));
  EXPECT_EQ(take_all(all, id), text("again"));
}

TEST(hostile_vm, one_slow_owner_does_not_starve_the_uploads_of_others) {
  stack_settings settings;
  settings.limits.receive_memory = 1;
  fake_vm all(settings);
  tcp_client slow{all, {vm, 10'000}};
  slow.connect();
  slow.data(bytes(1'460));
  all.actions.clear();
  all.seen.clear();
  tcp_client good{all};
  const auto id = good.connect();
  for (int i = 0; i < 100; ++i) {
    good.data(counting(1'460));
    ASSERT_EQ(take_all(all, id), counting(1'460)) << i;
  }
  EXPECT_EQ(all.net.counters().memory_full, 0U);
}

TEST(hostile_vm, downloads_that_are_not_acknowledged_bound_their_rings_and_stop_no_upload) {
  stack_settings settings;
  settings.limits.receive_memory = settings.limits.send_memory = std::size_t{128} << 10U;
  fake_vm all(settings);
  std::vector<tcp_client> clients;
  std::vector<flow_id> ids;
  for (std::uint16_t i = 0; i < 24; ++i) {
    clients.push_back({all, {vm, static_cast<std::uint16_t>(10'000 + i)}});
    ids.push_back(clients.back().connect());
  }
  const auto large = bytes(65'536);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (int round = 0; round < 20; ++round) {
      EXPECT_TRUE(write(all, ids[i], large) > 0 || round > 0);  // each flow has a small ring
      all.turn();
      clients[i].receive();
      if (round < 19) clients[i].ack();
    }
    write(all, ids[i], large);
    all.turn();
    all.seen.clear();
  }
  const auto memory = all.net.counters().tcp_memory;
  EXPECT_GT(memory, std::size_t{256} << 10U);
  EXPECT_LE(memory, std::size_t{128 + 64 + 24 * 20} << 10U);
  for (int i = 0; i < 10; ++i) {
    clients[0].data(counting(1'000));
    ASSERT_EQ(take_all(all, ids[0]), counting(1'000)) << i;
  }
  EXPECT_EQ(all.net.counters().memory_full, 0U);
}

TEST(hostile_vm, random_bytes_after_valid_headers) {
  fake_vm all;
  tcp_client good{all};
  const auto id = good.connect();
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    bytes payload(random() % 80);
    for (auto& b : payload) b = static_cast<std::uint8_t>(random());
    const ipv4::protocol protocols[] = {ipv4::protocol::tcp, ipv4::protocol::udp, ipv4::protocol::icmp};
    const offload unchecked{.needs_checksum = true};
    const ipv4::address targets[] = {server, gateway, host_alias};
    all.put_packet(make_packet({.source = vm,
                                .destination = targets[random() % 3],
                                .protocol = protocols[random() % 3],
                                .ttl = static_cast<std::uint8_t>(random())},
                               payload),
                   unchecked);
  }
  EXPECT_LE(all.net.counters().half_open, stack_limits{}.half_open);
  expect_alive(all, good, id);
}

}  // namespace
}  // namespace netstack
