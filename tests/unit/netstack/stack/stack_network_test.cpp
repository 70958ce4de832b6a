// ARP, DHCP, several VMs, echo and traceroute, through whole frames.
#include "tests/unit/netstack/stack/dhcp_client.hpp"
#include "tests/unit/netstack/stack/fake_vm.hpp"

namespace netstack {
namespace {

arp::message arp_in(const sent_frame& frame) { return arp::parse(frame.frame().payload).value_or(arp::message{}); }

TEST(stack_network, arp_is_answered_for_the_gateway_and_the_host_alone) {
  fake_vm all;
  for (const auto own : {gateway, host_alias}) {
    all.arp_message(arp::operation::request, vm, own);
    const auto answer = arp_in(all.only_frame());
    EXPECT_EQ(answer.what, arp::operation::reply);
    EXPECT_EQ(answer.sender, own);
    EXPECT_EQ(answer.sender_mac, gateway_mac);
    EXPECT_EQ(answer.target, vm);
  }
  for (std::uint32_t last = 2; last < 254; ++last) all.arp_message(arp::operation::request, vm, {0xc0a87f00 + last});
  EXPECT_TRUE(all.seen.empty());
  all.arp_message(arp::operation::request, {}, gateway);  // a probe
  EXPECT_EQ(arp_in(all.only_frame()).sender, gateway);
}

TEST(stack_network, ipv6_and_other_kinds_of_frames_are_dropped_and_counted) {
  fake_vm all;
  bytes frame(60);
  for (const auto& to : {gateway_mac, net::mac_address::broadcast()})
    for (const auto kind : {ethernet::ethertype::ipv6, ethernet::ethertype{0x8100}, ethernet::ethertype{0x88cc}}) {
      ethernet::write_header(frame, to, vm_mac, kind);
      all.put(frame);
    }
  EXPECT_EQ(all.net.counters().ipv6, 2U);
  EXPECT_EQ(all.net.counters().other_types, 4U);
  EXPECT_EQ(all.net.counters().malformed, 0U);
  EXPECT_TRUE(all.seen.empty());
  EXPECT_TRUE(all.actions.empty());
}

TEST(stack_network, without_nat_the_host_has_no_address) {
  stack_settings settings;
  settings.nat.clear();
  fake_vm all(settings);
  all.arp_message(arp::operation::request, vm, host_alias);
  EXPECT_TRUE(all.seen.empty());
}

TEST(stack_network, a_new_link_is_asked_for_the_leases) {
  fake_vm all({}, false);
  all.net.link_down(0, all.now);
  all.net.link_up(1, {}, all.now);
  EXPECT_EQ(all.net.wake_at(), all.now + 1s);  // the first link's question is repeated
  all.pass(1s);
  const auto frame = all.only_frame();
  EXPECT_EQ(frame.frame().destination, net::mac_address::broadcast());
  EXPECT_EQ(arp_in(frame).what, arp::operation::request);
  EXPECT_EQ(arp_in(frame).target, vm);
}

TEST(stack_network, datagrams_wait_for_the_vm_and_arrive_in_order) {
  fake_vm all({}, false);
  for (std::uint8_t i = 0; i < 3; ++i) all.net.send_datagram({gateway, 53}, {vm, 9}, bytes{i}, false, all.now);
  all.pull();
  EXPECT_TRUE(all.seen.empty());
  all.say_where();
  ASSERT_EQ(all.seen.size(), 3U);
  for (std::uint8_t i = 0; i < 3; ++i) EXPECT_EQ(udp::parse(all.seen[i].packet())->payload[0], i);
}

TEST(stack_network, nothing_wakes_an_idle_stack) {
  fake_vm all;
  EXPECT_EQ(all.net.wake_at(), time_point::max());
  fake_vm silent({}, false);
  int wakes = 0;
  while (silent.net.wake_at() != time_point::max() && wakes < 10) {
    silent.now = silent.net.wake_at();
    silent.pass(0s);
    ++wakes;
  }
  EXPECT_LE(wakes, 3);  // three ARP requests, and then silence
}

TEST(stack_network, dhcp_gives_the_fixed_lease_with_whole_checksums) {
  fake_vm all({}, false);
  all.net.link_up(0, {.checksum_offload = true, .most_segment_data = 65'480}, all.now);
  ask_dhcp(all, dhcp_discover);
  const auto offer = all.only_frame();
  EXPECT_FALSE(offer.how.needs_checksum);
  const auto d = udp::parse(offer.packet());
  ASSERT_TRUE(d);
  EXPECT_EQ(load_32(d->payload, 16), vm.value);
  EXPECT_EQ(d->payload[242], dhcp_offer);
  EXPECT_TRUE(all.actions.empty());
  ask_dhcp(all, dhcp_request, vm);
  EXPECT_EQ(all.only<action::lease_changed>().what.address, vm);
  EXPECT_EQ(take_dhcp_answer(all).type, dhcp_ack);
  EXPECT_EQ(all.net.counters().neighbours, 1U);  // and its place is known from now on
}

TEST(stack_network, no_address_of_the_nat_table_is_given_to_a_vm) {
  stack_settings settings;
  settings.nat = {{{0xc0a8'7f03}, localhost}, {{0xc0a8'7f04}, localhost}, {server, localhost}, {host_alias, localhost}};
  fake_vm all(settings);
  all.mac = other_mac;
  ask_dhcp(all, dhcp_discover);
  EXPECT_EQ(take_dhcp_answer(all).given, (ipv4::address{0xc0a8'7f05}));
  ask_dhcp(all, dhcp_request, ipv4::address{0xc0a8'7f04});
  EXPECT_EQ(take_dhcp_answer(all).type, dhcp_nak);
  EXPECT_TRUE(all.actions.empty());
}

TEST(stack_network, a_request_for_another_address_is_refused) {
  fake_vm all;
  ask_dhcp(all, dhcp_request, ipv4::address{0xc0a87f37});
  EXPECT_EQ(take_dhcp_answer(all).type, dhcp_nak);
  EXPECT_TRUE(all.actions.empty());
}

TEST(stack_network, a_second_vm_has_a_lease_of_its_own_and_nothing_of_the_first) {
  fake_vm all;
  become_second_vm(all);
  ask_dhcp(all, dhcp_discover);
  ask_dhcp(all, dhcp_request, second_vm);
  EXPECT_EQ(all.only<action::lease_changed>().what.address, second_vm);
  all.seen.clear();
  all.put_udp({second_vm, 1}, {server, 2}, text("mine"));
  EXPECT_EQ(all.only<action::datagram>().from.address, second_vm);
  all.put_udp({vm, 1}, {server, 2}, text("not mine"));
  EXPECT_TRUE(all.actions.empty());
  EXPECT_EQ(all.net.counters().spoofed, 1U);
  // Each is answered on its own link.
  all.net.send_datagram({gateway, 53}, {vm, 1}, text("a"), false, all.now);
  all.net.send_datagram({gateway, 53}, {second_vm, 1}, text("b"), false, all.now);
  all.pull();
  ASSERT_EQ(all.seen.size(), 2U);
  EXPECT_EQ(all.seen[0].link, 0U);
  EXPECT_EQ(all.seen[1].link, 1U);
  EXPECT_EQ(all.seen[1].frame().destination, other_mac);
}

TEST(stack_network, joins_and_leaves_leave_nothing_behind) {
  fake_vm all;
  for (link_id link = 1; link <= 100; ++link) {
    all.net.link_up(link, {}, all.now);
    all.pull();
    all.seen.clear();
    all.link = link;
    all.mac = {{2, 0, 0, 0, 1, static_cast<std::uint8_t>(link)}};
    ask_dhcp(all, dhcp_discover);
    ask_dhcp(all, dhcp_request, take_dhcp_answer(all).given);
    all.seen.clear();
    EXPECT_EQ(all.net.counters().neighbours, 2U);
    all.net.link_down(link, all.now);
    EXPECT_EQ(all.net.counters().neighbours, 1U);
  }
}

TEST(stack_network, echo_to_our_addresses_is_answered_unchanged) {
  fake_vm all;
  for (const auto own : {gateway, host_alias})
    for (const std::size_t size : {0UL, 16UL, 56UL, 1'472UL, 8'000UL}) {
      all.put_icmp(own, icmp::make_echo_request(7, 9, counting(size)), 1);
      fragments together;
      std::optional<ipv4::packet> whole;
      for (const auto& frame : all.seen) {
        const auto p = frame.packet();
        whole = p.is_fragment() ? together.add(p, all.now) : p;
      }
      ASSERT_TRUE(whole);
      const auto answer = icmp::parse(whole->payload);
      ASSERT_TRUE(answer);
      EXPECT_TRUE(answer->is(icmp::type::echo_reply));
      EXPECT_EQ(whole->source, own);
      EXPECT_EQ(answer->id, 7);
      EXPECT_EQ(answer->sequence, 9);
      EXPECT_EQ(to_bytes(answer->payload), counting(size));
      all.seen.clear();
    }
  EXPECT_TRUE(all.actions.empty());
}

TEST(stack_network, echo_to_other_addresses_is_asked_of_the_host) {
  fake_vm all;
  all.put_icmp(server, icmp::make_echo_request(7, 9, counting(8'000)), 12);
  const auto request = all.only<action::echo>();
  EXPECT_EQ(all.payloads.back(), counting(8'000));
  EXPECT_EQ(request.ttl, 11);
  EXPECT_EQ(request.to, server);
  EXPECT_TRUE(all.net.send_echo_reply(request, counting(56), all.now));
  all.pull();
  const auto answer = all.only_icmp();
  EXPECT_EQ(all.last().packet().source, server);
  EXPECT_EQ(answer.sequence, 9);
  EXPECT_EQ(to_bytes(answer.payload), counting(56));
}

TEST(stack_network, traceroute_sees_the_gateway_then_the_routers_then_the_target) {
  fake_vm all;
  const auto quoted_port = [&](const icmp::message& m) { return icmp::parse_quoted(m)->destination_port; };
  all.put_udp({vm, 4'000}, {server, 33'434}, text("x"), 1);
  const auto first = all.only_icmp();
  EXPECT_TRUE(first.is(icmp::type::time_exceeded));
  EXPECT_EQ(all.last().packet().source, gateway);
  EXPECT_EQ(quoted_port(first), 33'434);

  all.put_udp({vm, 4'000}, {server, 33'435}, text("x"), 2);
  EXPECT_EQ(all.only<action::datagram>().ttl, 1);
  const ipv4::address router{0x0a000001};
  icmp_report report{.router = router,
                     .what = icmp::type::time_exceeded,
                     .from = vm,
                     .asked = server,
                     .source_port_or_id = 4'000,
                     .destination_port_or_sequence = 33'435};
  all.net.pass_error(report, all.now);
  all.pull();
  const auto second = all.only_icmp();
  EXPECT_TRUE(second.is(icmp::type::time_exceeded));
  EXPECT_EQ(all.last().packet().source, router);
  EXPECT_EQ(quoted_port(second), 33'435);

  all.net.datagram_failed({vm, 4'000}, {server, 33'436}, ECONNREFUSED, 0, all.now);
  all.pull();
  const auto third = all.only_icmp();
  EXPECT_EQ(third.code, 3);
  EXPECT_EQ(all.last().packet().source, server);

  report.protocol = ipv4::protocol::icmp;
  all.net.pass_error(report, all.now);
  all.pull();
  const auto echo_error = all.only_icmp();
  EXPECT_EQ(load_16(icmp::parse_quoted(echo_error)->packet.payload, 4), 4'000);  // the id

  tcp::segment syn;
  syn.flags.syn = true;
  all.put_tcp({vm, 5'000}, {server, 80}, syn, {}, 1);
  EXPECT_TRUE(all.only_icmp().is(icmp::type::time_exceeded));
  all.put_tcp({vm, 5'000}, {server, 80}, syn, {}, 2);
  EXPECT_EQ(all.only<action::connect>().ttl, 1);
}

}  // namespace
}  // namespace netstack
