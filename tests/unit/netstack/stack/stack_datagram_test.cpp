// UDP through whole frames, both ways.
#include "tests/unit/netstack/stack/fake_vm.hpp"

namespace netstack {
namespace {

constexpr std::size_t sizes[] = {0, 1, 1'472, 1'473, 8'192, 65'507};

TEST(stack_datagram, every_size_from_the_vm) {
  fake_vm all;
  for (const auto size : sizes) {
    all.put_udp({vm, 4'000}, {server, 53}, counting(size));
    const auto d = all.only<action::datagram>();
    EXPECT_EQ(all.payloads.back(), counting(size));
    EXPECT_EQ(d.from, (endpoint{vm, 4'000}));
    EXPECT_EQ(d.asked, (endpoint{server, 53}));
    EXPECT_EQ(d.to, d.asked);
    EXPECT_EQ(d.ttl, 63);
  }
}

TEST(stack_datagram, every_size_to_the_vm) {
  fake_vm all;
  for (const auto size : sizes) {
    EXPECT_TRUE(all.net.send_datagram({server, 53}, {vm, 4'000}, counting(size), false, all.now));
    all.pull();
    fragments together;
    std::optional<ipv4::packet> whole;
    for (const auto& frame : all.seen) {
      EXPECT_LE(frame.whole.size(), 1'514U);
      EXPECT_FALSE(frame.how.needs_checksum);
      const auto p = frame.packet();
      whole = p.is_fragment() ? together.add(p, all.now) : p;
    }
    ASSERT_TRUE(whole);
    const auto d = udp::parse(*whole);
    ASSERT_TRUE(d);
    EXPECT_EQ(to_bytes(d->payload), counting(size));
    EXPECT_EQ(whole->source, server);
    EXPECT_EQ(d->source_port, 53);
    all.seen.clear();
  }
  EXPECT_FALSE(all.net.send_datagram({server, 53}, {vm, 4'000}, counting(65'508), false, all.now));
  EXPECT_FALSE(all.net.send_datagram({server, 53}, {server, 4'000}, counting(1), false, all.now));
}

TEST(stack_datagram, fragments_reversed_doubled_and_of_two_flows_with_one_id) {
  fake_vm all;
  const auto pieces = [&](std::uint16_t port, const bytes& payload) {
    bytes datagram(udp::header_size + payload.size());
    std::ranges::copy(payload, datagram.begin() + udp::header_size);
    udp::write_header(datagram, vm, port == 1 ? server : host_alias, 4'000, port);
    return cut(
        {.source = vm, .destination = port == 1 ? server : host_alias, .protocol = ipv4::protocol::udp, .id = 77},
        datagram, 1'500);
  };
  const auto a = pieces(1, counting(8'192)), b = pieces(2, bytes(8'192, 5));
  for (std::size_t i = a.size(); i-- > 0;) {
    all.put_packet(a[i]);
    if (i > 0) all.put_packet(a[i]);
    all.put_packet(b[i]);
  }
  ASSERT_EQ(all.actions.size(), 2U);
  EXPECT_EQ(all.payloads[0], counting(8'192));
  EXPECT_EQ(all.payloads[1], bytes(8'192, 5));
  EXPECT_EQ(std::get<action::datagram>(all.actions[1]).to.address, localhost);
}

TEST(stack_datagram, several_fragmented_datagrams_in_one_batch_stay_apart) {
  fake_vm all;
  std::vector<bytes> frames;
  for (std::uint8_t i = 0; i < 5; ++i) {
    bytes datagram(udp::header_size + 3'000, i);
    udp::write_header(datagram, vm, server, i, 9);
    for (const auto& packet :
         cut({.source = vm, .destination = server, .protocol = ipv4::protocol::udp, .id = i}, datagram, 1'500)) {
      bytes frame(ethernet::header_size);
      ethernet::write_header(frame, gateway_mac, vm_mac, ethernet::ethertype::ipv4);
      frame.insert(frame.end(), packet.begin(), packet.end());
      frames.push_back(frame);
    }
  }
  std::vector<frame_in> in;
  for (const auto& frame : frames) in.push_back({.bytes = frame, .how = {}});
  all.net.on_frames(in, all.now);
  all.turn();
  ASSERT_EQ(all.payloads.size(), 5U);
  for (std::uint8_t i = 0; i < 5; ++i) EXPECT_EQ(all.payloads[i], bytes(3'000, i));
}

TEST(stack_datagram, the_host_is_reached_by_the_nat_table) {
  fake_vm all;
  all.put_udp({vm, 4'000}, {host_alias, 5'353}, text("x"));
  const auto d = all.only<action::datagram>();
  EXPECT_EQ(d.asked.address, host_alias);
  EXPECT_EQ(d.to, (endpoint{localhost, 5'353}));
}

TEST(stack_datagram, the_gateway_has_its_services_alone) {
  fake_vm all;
  all.put_udp({vm, 4'000}, {gateway, 53}, text("x"));
  EXPECT_EQ(all.only<action::datagram>().to, (endpoint{gateway, 53}));
  all.put_udp({vm, 4'000}, {gateway, 54}, text("x"));
  EXPECT_EQ(all.only_icmp().code, 3);
  EXPECT_TRUE(all.actions.empty());
}

TEST(stack_datagram, multicasts_and_broadcasts_are_counted_and_nothing_else) {
  fake_vm all;
  for (const std::uint32_t to : {0xffff'ffffU, 0xc0a8'7fffU, 0xc0a8'7f00U, 0xe000'00fbU, 0xefff'fffaU})
    all.put_udp({vm, 4'000}, {{to}, 5'353}, text("x"));
  all.destination_mac = net::mac_address::broadcast();
  all.put_udp({vm, 4'000}, {server, 5'353}, text("x"));
  EXPECT_TRUE(all.actions.empty());
  EXPECT_TRUE(all.seen.empty());
  EXPECT_EQ(all.net.counters().multicast, 6U);
}

TEST(stack_datagram, what_no_host_socket_may_be_asked_for) {
  fake_vm all;
  for (const std::uint32_t to : {0x7f00'0001U, 0x0000'0001U, 0xa9fe'a9feU, 0xf000'0001U, 0xc0a8'7f07U}) {
    all.put_udp({vm, 4'000}, {{to}, 80}, text("x"));
    EXPECT_EQ(all.only_icmp().code, 13) << to;
  }
  EXPECT_TRUE(all.actions.empty());
  EXPECT_EQ(all.net.counters().forbidden, 5U);
}

TEST(stack_datagram, errors_of_the_host_pass_to_the_vm) {
  fake_vm all;
  const std::pair<int, int> codes[] = {{ECONNREFUSED, 3}, {EHOSTUNREACH, 1}, {ENETUNREACH, 0},
                                       {EACCES, 13},      {EPERM, 13},       {EMSGSIZE, 4}};
  for (const auto& [error, code] : codes) {
    all.net.datagram_failed({vm, 4'000}, {server, 9}, error, 1'300, all.now);
    all.pull();
    const auto m = all.only_icmp();
    EXPECT_TRUE(m.is(icmp::type::unreachable));
    EXPECT_EQ(m.code, code);
    EXPECT_EQ(m.sequence, error == EMSGSIZE ? 1'300 : 0);  // the next hop's MTU
    const auto quoted = icmp::parse_quoted(m);
    EXPECT_EQ(quoted->source_port, 4'000);
    EXPECT_EQ(quoted->destination_port, 9);
    EXPECT_EQ(quoted->packet.destination, server);
  }
  all.net.datagram_failed({vm, 4'000}, {server, 9}, ENOBUFS, 0, all.now);
  all.pull();
  EXPECT_TRUE(all.seen.empty());
}

TEST(stack_datagram, errors_of_the_vm_pass_to_the_owner) {
  fake_vm all;
  all.net.send_datagram({gateway, 20'000}, {vm, 53}, text("x"), false, all.now);
  all.pull();
  const auto sent = all.only_frame();
  all.put_icmp(gateway, icmp::make_error(icmp::type::unreachable, 3, sent.packet()));
  const auto refused = all.only<action::datagram_refused>();
  EXPECT_EQ(refused.from, (endpoint{gateway, 20'000}));
  EXPECT_EQ(refused.to, (endpoint{vm, 53}));
  EXPECT_EQ(refused.reason, std::errc::connection_refused);
}

TEST(stack_datagram, dont_fragment_is_kept_both_ways) {
  fake_vm all;
  bytes datagram(udp::header_size + 1'400);
  udp::write_header(datagram, vm, server, 1, 2);
  all.put_packet(make_packet(
      {.source = vm, .destination = server, .protocol = ipv4::protocol::udp, .dont_fragment = true}, datagram));
  EXPECT_TRUE(all.only<action::datagram>().dont_fragment);
  EXPECT_TRUE(all.net.send_datagram({server, 2}, {vm, 1}, counting(1'472), true, all.now));
  EXPECT_FALSE(all.net.send_datagram({server, 2}, {vm, 1}, counting(1'473), true, all.now));
  all.pull();
  EXPECT_TRUE(all.only_frame().packet().dont_fragment);
}

TEST(stack_datagram, a_partial_checksum_of_the_vm_is_accepted_as_offload_alone) {
  fake_vm all;
  bytes datagram(udp::header_size + 10, 3);
  udp::write_header(datagram, vm, server, 1, 2);
  datagram[6] ^= 0x55U;
  const auto packet = make_packet({.source = vm, .destination = server, .protocol = ipv4::protocol::udp}, datagram);
  all.put_packet(packet);
  EXPECT_EQ(all.net.counters().malformed, 1U);
  all.put_packet(packet, {.needs_checksum = true, .checksum_start = 34, .checksum_offset = 6});
  EXPECT_EQ(all.only<action::datagram>().payload.size(), 10U);
}

TEST(stack_datagram, what_waits_for_the_link_is_bounded) {
  fake_vm all;
  std::size_t taken = 0;
  for (int i = 0; i < 10'000; ++i)
    if (all.net.send_datagram({server, 53}, {vm, 4'000}, counting(1'400), false, all.now)) ++taken;
  EXPECT_LE(all.net.counters().queued_bytes, stack_limits{}.queued_packets + 128 * 1'024);
  EXPECT_EQ(all.net.counters().queue_full, 10'000 - taken);
  EXPECT_GT(taken, 2'500U);
  all.pull();
  EXPECT_EQ(all.seen.size(), taken);
  EXPECT_TRUE(all.net.send_datagram({server, 53}, {vm, 4'000}, counting(1'400), false, all.now));
}

}  // namespace
}  // namespace netstack
