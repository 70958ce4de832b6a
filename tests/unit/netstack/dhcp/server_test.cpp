#include "netstack/dhcp/server.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/netstack/dhcp/messages.hpp"

namespace netstack::dhcp {
namespace {

using std::chrono::seconds;

constexpr time_point start{seconds(1'000'000)};
const net::cidr subnet = *net::cidr::parse("192.168.127.0/24");

class dhcp_server : public testing::Test {
 protected:
  std::optional<answer> send(const client_message& m, time_point now = start) {
    sent_ = m.write();
    return server_.on_message(sent_, m.hardware, now);
  }
  // DISCOVER, REQUEST; the address that was acknowledged.
  std::optional<ipv4::address> join(const net::mac_address& client, time_point now = start) {
    const auto offered = send({.hardware = client}, now);
    if (!offered) return std::nullopt;
    const auto address = your_address(offered->payload);
    const auto given =
        send({.type = message_type::request, .hardware = client, .requested = address, .server = gateway}, now);
    if (!given || type_of(given->payload) != message_type::ack) return std::nullopt;
    return your_address(given->payload);
  }
  static bool is_nak(const std::optional<answer>& a) { return a && type_of(a->payload) == message_type::nak; }

  server server_{settings(subnet)};
  bytes sent_;
};

TEST_F(dhcp_server, the_vm_gets_the_second_address_and_others_the_next_ones) {
  EXPECT_EQ(join(mac(1)), ip("192.168.127.3"));
  EXPECT_EQ(join(vm_mac), vm);
  EXPECT_EQ(join(mac(2)), ip("192.168.127.4"));
  EXPECT_EQ(server_.counted(), (counters{.offers = 3, .acks = 3}));
}

TEST_F(dhcp_server, an_offer_has_every_option) {
  const std::vector<std::string> names{"corp.example"};
  server_.set_search_domains(names);
  const auto a = send({.hardware = vm_mac, .more = {{61, {1, 7, 7}}}});
  ASSERT_TRUE(a);
  const auto p = a->payload;
  EXPECT_EQ(p[0], 2);
  EXPECT_EQ(load_32(p, 4), 0x1234'5678U);
  EXPECT_EQ(your_address(p), vm);
  EXPECT_TRUE(std::ranges::equal(p.subspan(28, 6), vm_mac.bytes));
  EXPECT_EQ(type_of(p), message_type::offer);
  EXPECT_EQ(option_of(p, 54), four(gateway));
  EXPECT_EQ(option_of(p, 51), (bytes{0, 0, 0x0e, 0x10}));
  EXPECT_EQ(option_of(p, 1), four(ip("255.255.255.0")));
  EXPECT_EQ(option_of(p, 3), four(gateway));
  EXPECT_EQ(option_of(p, 6), four(gateway));
  EXPECT_EQ(option_of(p, 26), (bytes{0x05, 0xdc}));
  EXPECT_EQ(option_of(p, 61), (bytes{1, 7, 7}));
  EXPECT_EQ(option_of(p, 119), text(std::string_view("\4corp\7example\0", 14)));
  EXPECT_FALSE(a->leased);
}

TEST_F(dhcp_server, search_domains_change_at_any_time) {
  EXPECT_FALSE(option_of(send({.hardware = vm_mac})->payload, 119));
  server_.set_search_domains(std::vector<std::string>{"a.example"});
  EXPECT_TRUE(option_of(send({.hardware = vm_mac})->payload, 119));
  server_.set_search_domains({});
  EXPECT_FALSE(option_of(send({.hardware = vm_mac})->payload, 119));
}

TEST_F(dhcp_server, a_long_search_list_takes_several_options_and_no_more_than_the_client_takes) {
  std::vector<std::string> names;
  for (int i = 0; i < 32; ++i) names.push_back(std::string(20, static_cast<char>('a' + i % 26)) + std::to_string(i));
  server_.set_search_domains(names);
  const auto small = send({.hardware = vm_mac});
  EXPECT_LE(small->payload.size() + 28, 576U);
  const auto cut = option_of(small->payload, 119).value();
  const auto large = send({.hardware = vm_mac, .more = {{57, {0x05, 0xdc}}}});
  EXPECT_LE(large->payload.size() + 28, 1'500U);
  const auto whole = option_of(large->payload, 119).value();
  EXPECT_GT(whole.size(), 510U);
  EXPECT_TRUE(std::ranges::equal(cut, bytes_view(whole).first(cut.size())));
}

TEST_F(dhcp_server, an_ack_says_what_the_client_has) {
  const auto a = send({.type = message_type::request, .hardware = vm_mac, .requested = vm});
  ASSERT_TRUE(a);
  EXPECT_EQ(a->leased, (lease{.address = vm, .mac = vm_mac, .fixed = true, .expires = start + seconds(3600)}));
  EXPECT_EQ(server_.leases(start), std::vector{*a->leased});
}

// The case of kubevirt#13601: a rebooted guest, or another -subnet.
TEST_F(dhcp_server, a_request_for_another_address_than_the_lease_gets_a_nak) {
  for (const auto* other : {"192.168.127.3", "192.168.127.1", "10.1.2.3", "192.168.127.254"}) {
    EXPECT_TRUE(is_nak(send({.type = message_type::request, .hardware = vm_mac, .requested = ip(other)}))) << other;
    EXPECT_TRUE(is_nak(send({.type = message_type::request, .hardware = vm_mac, .client_address = ip(other)})))
        << other;
    EXPECT_TRUE(
        is_nak(send({.type = message_type::request, .hardware = vm_mac, .requested = ip(other), .server = gateway})))
        << other;
    EXPECT_TRUE(
        is_nak(send({.type = message_type::request, .hardware = vm_mac, .client_address = ip(other), .requested = vm})))
        << other;
  }
  EXPECT_EQ(server_.counted().naks, 16U);
  EXPECT_EQ(join(vm_mac), vm);
}

TEST_F(dhcp_server, a_nak_is_a_broadcast_without_configuration) {
  const auto a =
      send({.type = message_type::request, .hardware = vm_mac, .client_address = ip("10.0.0.9"), .more = {{61, {5}}}});
  ASSERT_TRUE(is_nak(a));
  EXPECT_EQ(a->mac, net::mac_address::broadcast());
  EXPECT_EQ(a->address, ip("255.255.255.255"));
  EXPECT_EQ(your_address(a->payload).value, 0U);
  EXPECT_EQ(load_32(a->payload, 12), 0U);
  EXPECT_EQ(option_of(a->payload, 54), four(gateway));
  EXPECT_EQ(option_of(a->payload, 61), bytes{5});
  for (const auto code : std::vector<std::uint8_t>{1, 3, 6, 26, 51, 119})
    EXPECT_FALSE(option_of(a->payload, code)) << int{code};
}

TEST_F(dhcp_server, answers_go_where_the_client_can_take_them) {
  const auto unicast = send({.hardware = vm_mac});
  EXPECT_EQ(unicast->mac, vm_mac);
  EXPECT_EQ(unicast->address, vm);
  const auto broadcast = send({.hardware = vm_mac, .broadcast = true});
  EXPECT_EQ(broadcast->mac, net::mac_address::broadcast());
  EXPECT_EQ(broadcast->address, ip("255.255.255.255"));
  EXPECT_EQ(load_16(broadcast->payload, 10), 0x8000);
  const auto renewed =
      send({.type = message_type::request, .hardware = vm_mac, .client_address = vm, .broadcast = true});
  EXPECT_EQ(renewed->mac, vm_mac);
  EXPECT_EQ(renewed->address, vm);
  EXPECT_EQ(load_32(renewed->payload, 12), vm.value);
}

TEST_F(dhcp_server, a_renewed_lease_lasts_longer) {
  ASSERT_EQ(join(mac(1)), ip("192.168.127.3"));
  const auto later = start + seconds(1'800);
  ASSERT_TRUE(send({.type = message_type::request, .hardware = mac(1), .client_address = ip("192.168.127.3")}, later));
  EXPECT_TRUE(server_.owns(mac(1), ip("192.168.127.3"), start + seconds(3'700)));
  EXPECT_FALSE(server_.owns(mac(1), ip("192.168.127.3"), later + seconds(3'600)));
}

TEST_F(dhcp_server, another_servers_client_is_left_alone_and_its_offer_is_free_again) {
  ASSERT_TRUE(send({.hardware = mac(1)}));
  EXPECT_FALSE(
      send({.type = message_type::request, .hardware = mac(1), .requested = ip("10.0.0.4"), .server = ip("10.0.0.1")}));
  EXPECT_EQ(server_.counted().ignored, 1U);
  EXPECT_EQ(join(mac(2)), ip("192.168.127.3"));
}

TEST_F(dhcp_server, release_decline_and_inform_change_nothing) {
  ASSERT_EQ(join(mac(1)), ip("192.168.127.3"));
  for (const auto type : {message_type::release, message_type::decline, message_type::inform})
    EXPECT_FALSE(send(
        {.type = type, .hardware = mac(1), .client_address = ip("192.168.127.3"), .requested = ip("192.168.127.3")}));
  EXPECT_TRUE(server_.owns(mac(1), ip("192.168.127.3"), start));
  EXPECT_EQ(server_.counted().ignored, 3U);
  for (const auto type : {message_type::offer, message_type::ack, message_type::nak})
    EXPECT_FALSE(send({.type = type, .hardware = mac(1)}));
  EXPECT_EQ(server_.counted().malformed, 3U);
}

TEST_F(dhcp_server, relays_and_foreign_hardware_addresses_are_dropped) {
  EXPECT_FALSE(send({.hardware = mac(1), .relay = ip("192.168.127.9")}));
  EXPECT_EQ(server_.counted().relayed, 1U);
  const auto spoofed = client_message{.hardware = vm_mac}.write();
  EXPECT_FALSE(server_.on_message(spoofed, mac(1), start));
  EXPECT_EQ(server_.counted().spoofed, 1U);
  EXPECT_FALSE(send({.hardware = net::mac_address::broadcast()}));
  EXPECT_FALSE(send({.hardware = net::mac_address{}}));
  EXPECT_FALSE(send({.type = message_type::request, .hardware = mac(1)}));  // names no address
  EXPECT_EQ(server_.counted().malformed, 3U);
}

TEST_F(dhcp_server, a_client_of_an_earlier_run_keeps_its_address) {
  EXPECT_TRUE(send({.type = message_type::request, .hardware = mac(1), .client_address = ip("192.168.127.9")}));
  EXPECT_TRUE(server_.owns(mac(1), ip("192.168.127.9"), start));
  EXPECT_TRUE(send({.type = message_type::request, .hardware = mac(2), .requested = ip("192.168.127.10")}));
  EXPECT_TRUE(server_.owns(mac(2), ip("192.168.127.10"), start));
  EXPECT_TRUE(is_nak(send({.type = message_type::request, .hardware = mac(3), .requested = ip("192.168.127.10")})));
  EXPECT_TRUE(is_nak(send({.type = message_type::request, .hardware = mac(3), .client_address = vm})));
  // After an offer of another server's address nothing is taken for granted.
  EXPECT_TRUE(is_nak(
      send({.type = message_type::request, .hardware = mac(3), .requested = ip("192.168.127.11"), .server = gateway})));
}

TEST_F(dhcp_server, a_client_that_takes_every_address_cannot_take_the_fixed_one) {
  std::set<ipv4::address> given;
  std::uint32_t n = 1;
  for (; n < 5'000; ++n) {
    const auto address = join(mac(n));
    if (!address) break;
    EXPECT_TRUE(given.insert(*address).second);
  }
  EXPECT_EQ(given.size(), 251U);
  EXPECT_EQ(*given.begin(), ip("192.168.127.3"));
  EXPECT_EQ(*given.rbegin(), ip("192.168.127.253"));
  EXPECT_EQ(server_.counted().exhausted, 1U);
  EXPECT_TRUE(is_nak(send({.type = message_type::request, .hardware = mac(n), .requested = vm})));
  EXPECT_EQ(join(vm_mac), vm);
  // An expired lease is used again.
  EXPECT_TRUE(join(mac(n), start + seconds(3600)));
}

TEST_F(dhcp_server, a_flood_of_discovers_keeps_no_client_out) {
  for (std::uint32_t n = 1; n <= 2'000; ++n) EXPECT_TRUE(send({.hardware = mac(n)}));
  EXPECT_TRUE(join(mac(9'999)));
  EXPECT_EQ(server_.leases(start).size(), 2U);
}

// gvisor-tap-vsock#383: joins and leaves.
TEST_F(dhcp_server, a_hundred_joins_and_leaves_leave_no_entry_behind) {
  auto now = start;
  for (std::uint32_t n = 1; n <= 100; ++n, now += seconds(3'600)) {
    EXPECT_EQ(join(mac(n), now), ip("192.168.127.3"));
    EXPECT_EQ(server_.leases(now).size(), 2U);
    EXPECT_FALSE(send({.type = message_type::release, .hardware = mac(n), .client_address = ip("192.168.127.3")}, now));
  }
  EXPECT_EQ(server_.leases(now).size(), 1U);
}

TEST_F(dhcp_server, a_truncated_or_random_message_is_counted) {
  const auto sent = client_message{}.write();
  EXPECT_FALSE(server_.on_message(bytes_view(sent).first(200), mac(1), start));
  EXPECT_FALSE(server_.on_message({}, mac(1), start));
  EXPECT_EQ(server_.counted().malformed, 2U);
}

TEST(dhcp_settings, the_addresses_follow_the_subnet) {
  const settings s(*net::cidr::parse("10.9.0.0/16"));
  EXPECT_EQ(s.gateway, ip("10.9.0.1"));
  EXPECT_EQ(s.hosts, (std::vector{ip("10.9.0.254")}));
  EXPECT_EQ(s.fixed, (std::vector<fixed_lease>{{vm_mac, ip("10.9.0.2")}}));
  EXPECT_TRUE(settings(*net::cidr::parse("10.9.0.0/25")).hosts.empty());
}

TEST(dhcp_settings, fixed_leases_replace_each_other) {
  settings s(subnet);
  EXPECT_TRUE(s.add_fixed({mac(1), ip("192.168.127.9")}));
  EXPECT_TRUE(s.add_fixed({mac(1), ip("192.168.127.10")}));
  EXPECT_TRUE(s.add_fixed({mac(2), ip("192.168.127.2")}));
  EXPECT_EQ(s.fixed, (std::vector<fixed_lease>{{mac(1), ip("192.168.127.10")}, {mac(2), ip("192.168.127.2")}}));
  for (const auto* wrong : {"192.168.127.0", "192.168.127.1", "192.168.127.254", "192.168.127.255", "10.0.0.2"})
    EXPECT_FALSE(s.add_fixed({mac(3), ip(wrong)})) << wrong;
}

TEST_F(dhcp_server, leases_of_an_earlier_run_are_adopted_for_the_time_of_one) {
  EXPECT_FALSE(server_.adopt(mac(1), ip("192.168.127.77"), start)) << "it has not begun";
  server_.begin(start);
  const auto last = start + settings(subnet).lease_time - seconds(1);
  const auto adopted = server_.adopt(mac(1), ip("192.168.127.77"), last);
  ASSERT_TRUE(adopted);
  EXPECT_EQ(adopted->address, ip("192.168.127.77"));
  EXPECT_EQ(adopted->expires, last + settings(subnet).lease_time);
  EXPECT_TRUE(server_.owns(mac(1), ip("192.168.127.77"), last));
  EXPECT_FALSE(server_.adopt(mac(2), ip("192.168.127.78"), last + seconds(1)));
  EXPECT_FALSE(server_.adopt(net::mac_address::broadcast(), ip("192.168.127.78"), start));
  EXPECT_FALSE(server_.adopt({}, ip("192.168.127.78"), start));
  EXPECT_EQ(server_.counted().adopted, 1U);
  const auto renewed =
      send({.type = message_type::request, .hardware = mac(1), .client_address = ip("192.168.127.77")}, last);
  ASSERT_TRUE(renewed);
  EXPECT_EQ(type_of(renewed->payload), message_type::ack);
}

}  // namespace
}  // namespace netstack::dhcp
