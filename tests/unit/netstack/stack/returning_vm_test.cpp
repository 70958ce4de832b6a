// VMs with leases of an earlier run of host-switch: their frames are as good as before, and no other ones become so.
#include <gtest/gtest.h>

#include "tests/unit/netstack/stack/fake_vm.hpp"

namespace netstack {
namespace {

constexpr ipv4::address leased{0xc0a8'7f37};  // 192.168.127.55
constexpr link_id new_link = 1;

// The link of a VM that the stack has not seen yet.
class returning_vm : public testing::Test {
 protected:
  returning_vm() {
    all_.mac = other_mac;
    all_.link = new_link;
    all_.net.link_up(new_link, {}, all_.now);
    all_.pull();
    all_.seen.clear();
  }
  void speak(ipv4::address from = leased) { all_.put_udp({from, 1'000}, {server, 2}, text("hello")); }
  [[nodiscard]] bool has_lease(ipv4::address address = leased) const {
    return std::ranges::any_of(all_.net.leases(),
                               [&](const lease& one) { return one.address == address && one.mac == other_mac; });
  }
  // How many datagrams the host's sockets were to send.
  [[nodiscard]] std::ptrdiff_t datagrams() const {
    return std::ranges::count_if(all_.actions,
                                 [](const any_action& a) { return std::holds_alternative<action::datagram>(a); });
  }

  fake_vm all_;
};

TEST_F(returning_vm, is_heard_at_once_and_answered_on_its_link) {
  speak();
  EXPECT_EQ(datagrams(), 1);
  EXPECT_TRUE(has_lease());
  EXPECT_EQ(all_.net.counters().spoofed, 0U);
  all_.net.send_datagram({server, 2}, {leased, 1'000}, text("answer"), false, all_.now);
  all_.pull();
  const auto answer = all_.only_frame();
  EXPECT_EQ(answer.link, new_link);
  EXPECT_EQ(answer.frame().destination, other_mac);
}

TEST_F(returning_vm, is_heard_by_its_first_arp_request) {
  all_.arp_message(arp::operation::request, leased, gateway);
  EXPECT_TRUE(has_lease());
  const auto answer = arp::parse(all_.only_frame().frame().payload);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->sender, gateway);
}

TEST_F(returning_vm, has_one_address) {
  speak();
  speak({leased.value + 1});
  EXPECT_EQ(datagrams(), 1);
  EXPECT_EQ(all_.net.counters().spoofed, 1U);
  EXPECT_FALSE(has_lease({leased.value + 1}));
}

TEST_F(returning_vm, takes_no_address_of_another_vm_of_the_gateway_or_beyond_the_pool) {
  for (const std::uint32_t from : {vm.value, gateway.value, host_alias.value, 0xc0a8'7f00U, 0xc0a8'7fffU, 0x0a00'0001U})
    speak({from});
  EXPECT_EQ(datagrams(), 0);
  EXPECT_EQ(all_.net.counters().spoofed, 6U);
  EXPECT_FALSE(has_lease());
}

TEST_F(returning_vm, shares_its_link_with_no_invented_ones) {
  speak();
  for (std::uint8_t i = 0; i < 200; ++i) {
    all_.mac = {{2, 0, 0, 0, 1, i}};
    speak({0xc0a8'7f03U + i});
  }
  EXPECT_EQ(datagrams(), 1);
  EXPECT_EQ(all_.net.leases().size(), 2U);  // the fixed one and its own
}

TEST_F(returning_vm, is_too_late_after_the_time_of_a_lease) {
  all_.pass(3'600s);
  all_.link = new_link;
  speak();
  EXPECT_EQ(datagrams(), 0);
  EXPECT_EQ(all_.net.counters().spoofed, 1U);
}

TEST_F(returning_vm, is_accepted_by_what_switches_frames_between_vms) {
  EXPECT_TRUE(all_.net.accepts_source(other_mac, leased, new_link, all_.now));
  EXPECT_TRUE(all_.net.is_located(leased));
  EXPECT_FALSE(all_.net.accepts_source(other_mac, {leased.value + 1}, new_link, all_.now));
  EXPECT_FALSE(all_.net.accepts_source(other_mac, vm, new_link, all_.now));
}

}  // namespace
}  // namespace netstack
