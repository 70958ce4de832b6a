// A VM that uses addresses of others, or all of them: what is spoofed changes nothing, and no table of addresses fills up
// for the others.
#include <set>

#include "tests/unit/netstack/stack/hostile.hpp"

namespace netstack {
namespace {

constexpr ipv4::address second_vm{0xc0a87f03};

bytes dhcp_message(std::uint8_t type, const net::mac_address& mac, std::optional<ipv4::address> wanted = {}) {
  bytes m(240);
  m[0] = 1, m[1] = 1, m[2] = 6;
  std::ranges::copy(mac.bytes, m.begin() + 28);
  store_32(m, 236, 0x6382'5363);
  m.insert(m.end(), {53, 1, type});
  if (wanted) {
    m.insert(m.end(), {50, 4, 0, 0, 0, 0});
    store_32(m, m.size() - 4, wanted->value);
  }
  m.push_back(255);
  m.resize(std::max<std::size_t>(m.size(), 300));
  return m;
}

void ask_dhcp(fake_vm& all, std::uint8_t type, std::optional<ipv4::address> wanted = {}) {
  const auto before = std::exchange(all.destination_mac, net::mac_address::broadcast());
  all.put_udp({{}, 68}, {{0xffff'ffff}, 67}, dhcp_message(type, all.mac, wanted));
  all.destination_mac = before;
}

// The type of the DHCP answer, and the address that it gives; 0 without an answer.
std::pair<int, ipv4::address> dhcp_answer(fake_vm& all) {
  if (all.seen.empty()) return {0, {}};
  const auto frame = all.only_frame();
  const auto d = udp::parse(frame.packet());
  EXPECT_TRUE(d);
  return d ? std::pair<int, ipv4::address>{d->payload[242], {load_32(d->payload, 16)}}
           : std::pair<int, ipv4::address>{0, {}};
}

net::mac_address invented(std::uint32_t number) {
  return {{2, 0xbb, 0, static_cast<std::uint8_t>(number >> 16U), static_cast<std::uint8_t>(number >> 8U),
           static_cast<std::uint8_t>(number)}};
}

// A second VM, with a lease of its own on a link of its own, means harm from here on.
void become_second_vm(fake_vm& all) {
  all.link = 1;
  all.mac = other_mac;
  all.net.link_up(1, {}, all.now);
  all.pull();
  all.seen.clear();
  ask_dhcp(all, 3, second_vm);
  EXPECT_EQ(dhcp_answer(all).first, 5);
  take_work(all);
}

TEST(hostile_addresses, another_vms_address_opens_and_ends_nothing) {
  fake_vm all;
  bystander good(all);
  become_second_vm(all);
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
  become_second_vm(all);
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
  EXPECT_EQ(all.net.counters().not_for_us, 1'000U);
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
  stack_settings settings;
  settings.subnet = {net::address::v4(192, 168, 0, 0), 16};
  settings.nat.clear();
  settings.leases = {{vm_mac, vm}};
  fake_vm all(settings, false);
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
    ask_dhcp(all, 1);
    ASSERT_LE(all.seen.size(), 1U);
    const auto [type, address] = dhcp_answer(all);
    if (type != 2) continue;
    ask_dhcp(all, 3, address);
    ASSERT_LE(all.seen.size(), 1U);
    if (dhcp_answer(all).first == 5) given.insert(address.value);
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
  ask_dhcp(all, 1);
  EXPECT_EQ(dhcp_answer(all), (std::pair<int, ipv4::address>{2, vm}));
  ask_dhcp(all, 3, vm);
  EXPECT_EQ(dhcp_answer(all).first, 5);
  take_work(all);
  // And the pool is free again when the leases end.
  all.pass(3'601s);
  take_work(all);
  all.mac = other_mac;
  ask_dhcp(all, 1);
  EXPECT_EQ(dhcp_answer(all).first, 2);
}

TEST(hostile_addresses, offers_that_are_not_taken_keep_no_machine_out) {
  fake_vm all;
  bystander good(all);
  for (std::uint32_t i = 0; i < 2'000; ++i) {
    all.mac = invented(i);
    ask_dhcp(all, 1);
    ASSERT_EQ(dhcp_answer(all).first, 2) << i;
  }
  EXPECT_EQ(all.net.leases().size(), 1U) << "the fixed one";
  all.mac = other_mac;
  ask_dhcp(all, 1);
  const auto [type, address] = dhcp_answer(all);
  EXPECT_EQ(type, 2);
  ask_dhcp(all, 3, address);
  EXPECT_EQ(dhcp_answer(all), (std::pair<int, ipv4::address>{5, address}));
  take_work(all);
  all.mac = vm_mac;
  good.expect_unharmed();
}

// Every lease of a large network is taken and in use. The VM's link ends meanwhile: it is found again when it comes back.
TEST(hostile_addresses, a_table_of_leases_that_is_full_has_room_for_the_vm_that_comes_back) {
  stack_settings settings;
  settings.subnet = {net::address::v4(192, 168, 0, 0), 16};
  settings.nat.clear();
  settings.leases = {{vm_mac, vm}};
  fake_vm all(settings);
  all.link = 1;
  all.net.link_up(1, {}, all.now);
  all.pull();
  take_work(all);
  std::size_t taken = 0;
  for (std::uint32_t i = 0; i < 1'100; ++i) {
    all.mac = invented(i);
    ask_dhcp(all, 1);
    const auto [type, address] = dhcp_answer(all);
    if (type != 2) continue;
    ask_dhcp(all, 3, address);
    taken += dhcp_answer(all).first == 5 ? 1 : 0;
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
  become_second_vm(all);
  for (std::uint8_t type = 0; type < 9; ++type) {
    const auto before = std::exchange(all.destination_mac, net::mac_address::broadcast());
    all.put_udp({{}, 68}, {{0xffff'ffff}, 67}, dhcp_message(type, vm_mac, ipv4::address{0xc0a87f63}));
    all.destination_mac = before;
  }
  EXPECT_TRUE(all.seen.empty());
  EXPECT_TRUE(all.actions.empty());
  good.expect_unharmed();
}

}  // namespace
}  // namespace netstack
