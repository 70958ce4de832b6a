// A VM that uses addresses of others, or all of them: what is spoofed changes nothing, and no table of addresses fills
// up for the others.
#include <set>

#include "tests/unit/netstack/stack/dhcp_client.hpp"
#include "tests/unit/netstack/stack/hostile.hpp"

namespace netstack {
namespace {

net::mac_address invented(std::uint32_t number) {
  return {{2, 0xbb, 0, static_cast<std::uint8_t>(number >> 16U), static_cast<std::uint8_t>(number >> 8U),
           static_cast<std::uint8_t>(number)}};
}

// A second VM, with a lease of its own on a link of its own, means harm from here on.
void become_hostile_vm(fake_vm& all) {
  become_second_vm(all);
  ask_dhcp(all, dhcp_request, second_vm);
  EXPECT_EQ(take_dhcp_answer(all).type, dhcp_ack);
  take_work(all);
}

stack_settings large_network() {
  stack_settings settings;
  settings.subnet = {net::address::v4(192, 168, 0, 0), 16};
  settings.nat.clear();
  settings.leases = {{vm_mac, vm}};
  return settings;
}

TEST(hostile_addresses, another_vms_address_opens_and_ends_nothing) {
  fake_vm all;
  bystander good(all);
  become_hostile_vm(all);
  auto& client = good.client();
  tcp::segment s;
  s.flags = {.rst = true};
  s.number = client.next;  // as if it knew it
  all.put_tcp(client.own, client.to, s);
  s.flags = {.fin = true, .ack = true};
  s.acknowledged = client.expected;
  all.put_tcp(client.own, client.to, s, text("forged"));
  s.flags = {.syn = true};
  all.put_tcp({vm, 1'234}, client.to, s);
  all.put_udp({vm, 1'234}, {server, 53}, text("forged"));
  all.put_icmp(server, icmp::make_echo_request(1, 1, text("forged")));
  all.arp_message(arp::operation::reply, vm, gateway);
  all.arp_message(arp::operation::request, vm, gateway);
  all.arp_message(arp::operation::request, gateway, vm);
  EXPECT_TRUE(all.actions.empty());
  EXPECT_TRUE(all.seen.empty());
  EXPECT_EQ(all.net.counters().spoofed, 8U);
  EXPECT_EQ(all.net.counters().flows, 1U);
  good.expect_unharmed();
  // And what is for the first VM goes to its link.
  all.net.send_datagram({gateway, 53}, {vm, 9}, text("secret"), false, all.now);
  all.pull();
  const auto frame = all.only_frame();
  EXPECT_EQ(frame.link, 0U);
  EXPECT_EQ(frame.frame().destination, vm_mac);
}

// An ICMP error is believed of the machine that the quoted packet went to, and of no other.
TEST(hostile_addresses, errors_about_packets_of_others_are_not_believed) {
  fake_vm all;
  bystander good(all);
  all.net.send_datagram({gateway, 20'000}, {vm, 53}, text("x"), false, all.now);
  const auto opened = all.net.open({gateway, 0}, {vm, 80}, all.now);
  ASSERT_TRUE(opened);
  all.pull();
  const auto sent = std::exchange(all.seen, {});
  ASSERT_EQ(sent.size(), 2U);
  become_hostile_vm(all);
  for (const auto& frame : sent)
    for (std::uint8_t code = 0; code < 16; ++code) {
      bytes whole = icmp::make_error(icmp::type::unreachable, code, frame.packet());
      all.put_packet(
          make_packet({.source = second_vm, .destination = gateway, .protocol = ipv4::protocol::icmp}, whole));
    }
  EXPECT_TRUE(all.actions.empty());
  EXPECT_TRUE(all.seen.empty());
  EXPECT_EQ(all.net.counters().flows, 2U);
  good.expect_unharmed();
}

TEST(hostile_addresses, frames_of_group_macs_and_for_other_macs_reach_nothing) {
  fake_vm all;
  bystander good(all);
  const net::mac_address groups[] = {
      net::mac_address::broadcast(), {{1, 0, 0x5e, 0, 0, 1}}, {{0x33, 0x33, 0, 0, 0, 1}}};
  for (const auto& mac : groups) {
    all.mac = mac;
    all.put_udp({vm, 1}, {server, 53}, text("x"));
    all.arp_message(arp::operation::request, vm, gateway);
  }
  EXPECT_EQ(all.net.counters().malformed, 6U);
  all.mac = vm_mac;
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    all.destination_mac = invented(i);
    all.put_udp({vm, 1}, {server, 53}, text("x"));
  }
  all.destination_mac = gateway_mac;
  EXPECT_EQ(all.net.counters().not_for_stack, 1'000U);
  EXPECT_TRUE(all.actions.empty());
  EXPECT_TRUE(all.seen.empty());
  good.expect_unharmed();
}

// ---- ARP

TEST(hostile_addresses, each_arp_request_costs_one_answer_at_most) {
  fake_vm all;
  bystander good(all);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const ipv4::address target{0xc0a87f00 + i % 256};
    all.arp_message(arp::operation::request, vm, target);
    ASSERT_EQ(all.seen.size(), target == gateway || target == host_alias ? 1U : 0U);
    take_work(all);
  }
  EXPECT_EQ(all.net.counters().neighbours, 1U);
  good.expect_unharmed();
}

// The owner sends to addresses that no machine has: what waits is bounded, and given up after three questions each.
TEST(hostile_addresses, addresses_that_never_answer_starve_no_other) {
  fake_vm all(large_network(), false);
  all.arp_message(arp::operation::reply, vm, {0xc0a80001});
  take_work(all);
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    all.net.send_datagram({{0xc0a80001}, 1}, {{0xc0a81000 + i}, 2}, bytes(1'000), false, all.now);
    if (i % 100 != 0) continue;
    all.net.send_datagram({{0xc0a80001}, 1}, {vm, 2}, text("through"), false, all.now);
    all.turn();
    const auto through = std::ranges::count_if(all.seen, [](const auto& f) { return f.frame().destination == vm_mac; });
    ASSERT_EQ(through, 1) << i;
    take_work(all);
  }
  EXPECT_EQ(all.net.counters().neighbours, 1U);
  EXPECT_GE(all.net.counters().no_neighbour, 4'000U - stack_limits{}.neighbours);
  std::size_t questions = 0;
  for (int second = 0; second < 4; ++second) {
    all.pass(1s);
    questions += all.seen.size();
    take_work(all);
  }
  EXPECT_LE(questions, 3 * stack_limits{}.neighbours);
  EXPECT_EQ(all.net.counters().no_neighbour, 5'000U) << "all were dropped, and counted";
  EXPECT_EQ(all.net.wake_at(), time_point::max());
}

// ---- DHCP

TEST(hostile_addresses, a_machine_that_takes_every_lease_leaves_the_vm_its_own) {
  fake_vm all;
  bystander good(all);
  all.link = 1;
  all.net.link_up(1, {}, all.now);
  all.pull();
  take_work(all);
  std::set<std::uint32_t> given;
  for (std::uint32_t i = 0; i < 3'000; ++i) {
    all.mac = invented(i);
    ask_dhcp(all, dhcp_discover);
    ASSERT_LE(all.seen.size(), 1U);
    const auto [type, address] = take_dhcp_answer(all);
    if (type != dhcp_offer) continue;
    ask_dhcp(all, dhcp_request, address);
    ASSERT_LE(all.seen.size(), 1U);
    if (take_dhcp_answer(all).type == dhcp_ack) given.insert(address.value);
    ASSERT_LE(take_work(all).actions, 1U);
  }
  EXPECT_EQ(given.size(), 251U) << "all but those of the gateway, the VM and the host";
  for (const std::uint32_t own : {0xc0a87f01U, 0xc0a87f02U, 0xc0a87ffeU}) EXPECT_FALSE(given.contains(own));
  EXPECT_LE(all.net.counters().neighbours, 252U);
  EXPECT_EQ(all.net.leases().size(), 252U);
  good.expect_unharmed();
  // The VM's own lease is there when it comes again.
  all.mac = vm_mac;
  all.link = 0;
  ask_dhcp(all, dhcp_discover);
  EXPECT_EQ(take_dhcp_answer(all), (dhcp_answer{dhcp_offer, vm}));
  ask_dhcp(all, dhcp_request, vm);
  EXPECT_EQ(take_dhcp_answer(all).type, dhcp_ack);
  take_work(all);
  // And the pool is free again when the leases end.
  all.pass(3'601s);
  take_work(all);
  all.mac = other_mac;
  ask_dhcp(all, dhcp_discover);
  EXPECT_EQ(take_dhcp_answer(all).type, dhcp_offer);
}

TEST(hostile_addresses, offers_that_are_not_taken_keep_no_machine_out) {
  fake_vm all;
  bystander good(all);
  for (std::uint32_t i = 0; i < 2'000; ++i) {
    all.mac = invented(i);
    ask_dhcp(all, dhcp_discover);
    ASSERT_EQ(take_dhcp_answer(all).type, dhcp_offer) << i;
  }
  EXPECT_EQ(all.net.leases().size(), 1U) << "the fixed one";
  all.mac = other_mac;
  ask_dhcp(all, dhcp_discover);
  const auto [type, address] = take_dhcp_answer(all);
  EXPECT_EQ(type, dhcp_offer);
  ask_dhcp(all, dhcp_request, address);
  EXPECT_EQ(take_dhcp_answer(all), (dhcp_answer{dhcp_ack, address}));
  take_work(all);
  all.mac = vm_mac;
  good.expect_unharmed();
}

// Every lease of a large network is taken and in use. The VM's link ends meanwhile: it is found again when it comes
// back.
TEST(hostile_addresses, a_table_of_leases_that_is_full_has_room_for_the_vm_that_comes_back) {
  fake_vm all(large_network());
  all.link = 1;
  all.net.link_up(1, {}, all.now);
  all.pull();
  take_work(all);
  std::size_t taken = 0;
  for (std::uint32_t i = 0; i < 1'100; ++i) {
    all.mac = invented(i);
    ask_dhcp(all, dhcp_discover);
    const auto [type, address] = take_dhcp_answer(all);
    if (type != dhcp_offer) continue;
    ask_dhcp(all, dhcp_request, address);
    taken += take_dhcp_answer(all).type == dhcp_ack ? 1 : 0;
    take_work(all);
  }
  EXPECT_GE(taken, 1'020U);
  all.net.link_down(0, all.now);
  all.net.link_up(0, {}, all.now);
  all.link = 0;
  all.mac = vm_mac;
  all.arp_message(arp::operation::reply, vm, {0xc0a80001});
  take_work(all);
  EXPECT_TRUE(all.net.is_located(vm));
  EXPECT_LE(all.net.counters().neighbours, stack_limits{}.neighbours);
  bystander good(all);
  good.expect_unharmed();
}

// A message in another machine's name changes nothing of its lease.
TEST(hostile_addresses, dhcp_in_another_machines_name_is_dropped) {
  fake_vm all;
  bystander good(all);
  become_hostile_vm(all);
  for (int type = 0; type < 9; ++type) send_dhcp(all, dhcp_message(type, vm_mac, ipv4::address{0xc0a87f63}));
  EXPECT_TRUE(all.seen.empty());
  EXPECT_TRUE(all.actions.empty());
  good.expect_unharmed();
}

}  // namespace
}  // namespace netstack
