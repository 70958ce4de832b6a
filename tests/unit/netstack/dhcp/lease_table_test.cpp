#include "netstack/dhcp/lease_table.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/dhcp/messages.hpp"

namespace netstack::dhcp {
namespace {

using std::chrono::seconds;

constexpr time_point start{seconds(1'000'000)};
constexpr seconds hour{3600};

lease_table table(std::string_view subnet = "192.168.127.0/24") {
  return {*net::cidr::parse(subnet), {ip("192.168.127.1"), ip("192.168.127.254")}, {{mac(99), ip("192.168.127.2")}}};
}

TEST(lease_table, addresses_are_given_from_the_third_on) {
  auto t = table();
  EXPECT_EQ(t.offer(mac(1), start), ip("192.168.127.3"));
  EXPECT_EQ(t.offer(mac(2), start), ip("192.168.127.4"));
  EXPECT_EQ(t.offer(mac(1), start), ip("192.168.127.3"));
  EXPECT_EQ(t.offer(mac(99), start), ip("192.168.127.2"));
}

TEST(lease_table, an_offer_is_not_a_lease_yet) {
  auto t = table();
  const auto given = t.offer(mac(1), start);
  EXPECT_FALSE(t.owns(mac(1), *given, start));
  EXPECT_EQ(t.list(start).size(), 1U);  // the fixed one
  t.acknowledge(mac(1), start + hour, start);
  EXPECT_TRUE(t.owns(mac(1), *given, start));
  EXPECT_FALSE(t.owns(mac(2), *given, start));
  EXPECT_TRUE(t.owns(mac(1), *given, start + hour - seconds(1)));
  EXPECT_FALSE(t.owns(mac(1), *given, start + hour));
}

TEST(lease_table, an_offer_that_is_not_taken_ends_after_a_minute) {
  auto t = table();
  EXPECT_EQ(t.offer(mac(1), start), ip("192.168.127.3"));
  EXPECT_EQ(t.offer(mac(2), start + lease_table::offer_time - seconds(1)), ip("192.168.127.4"));
  EXPECT_FALSE(t.find(mac(1), start + lease_table::offer_time));
  EXPECT_EQ(t.offer(mac(3), start + lease_table::offer_time), ip("192.168.127.3"));
}

TEST(lease_table, a_discover_does_not_shorten_a_lease) {
  auto t = table();
  t.offer(mac(1), start);
  t.acknowledge(mac(1), start + hour, start);
  EXPECT_EQ(t.offer(mac(1), start + seconds(1)), ip("192.168.127.3"));
  EXPECT_TRUE(t.owns(mac(1), ip("192.168.127.3"), start + hour - seconds(1)));
}

TEST(lease_table, fixed_addresses_belong_to_their_mac_alone_and_for_ever) {
  auto t = table();
  EXPECT_TRUE(t.owns(mac(99), ip("192.168.127.2"), start));
  EXPECT_FALSE(t.owns(mac(1), ip("192.168.127.2"), start));
  EXPECT_FALSE(t.take(mac(1), ip("192.168.127.2"), start));
  t.acknowledge(mac(99), start + hour, start);
  EXPECT_TRUE(t.owns(mac(99), ip("192.168.127.2"), start + 10 * hour));
  EXPECT_EQ(t.list(start).at(0),
            (lease{.address = ip("192.168.127.2"), .mac = mac(99), .fixed = true, .expires = start + hour}));
}

TEST(lease_table, reserved_and_foreign_addresses_cannot_be_taken) {
  auto t = table();
  for (const auto* text : {"192.168.127.0", "192.168.127.1", "192.168.127.254", "192.168.127.255", "192.168.126.3",
                           "192.168.128.3", "0.0.0.0", "255.255.255.255"}) {
    EXPECT_FALSE(t.take(mac(1), ip(text), start)) << text;
    EXPECT_FALSE(t.owns(mac(1), ip(text), start)) << text;
    EXPECT_FALSE(t.owns({}, ip(text), start)) << text;
  }
  EXPECT_TRUE(t.take(mac(1), ip("192.168.127.253"), start));
  EXPECT_FALSE(t.take(mac(2), ip("192.168.127.253"), start));
}

TEST(lease_table, acknowledged_leases_never_make_room_and_offers_do) {
  auto t = table();
  std::uint32_t client = 1000;
  while (t.offer(mac(client), start)) {
    t.acknowledge(mac(client), start + hour, start);
    ++client;
  }
  EXPECT_EQ(client - 1000, 251U);  // .3 to .253
  EXPECT_EQ(t.list(start).size(), 252U);
  EXPECT_FALSE(t.offer(mac(1), start + hour - seconds(1)));
  EXPECT_TRUE(t.offer(mac(1), start + hour));

  auto offers = table();
  for (std::uint32_t i = 0; i < 251; ++i) EXPECT_TRUE(offers.offer(mac(1000 + i), start + seconds(i == 0 ? 0 : 1)));
  EXPECT_EQ(offers.offer(mac(1), start + seconds(2)), ip("192.168.127.3"));  // the oldest
  EXPECT_FALSE(offers.find(mac(1000), start + seconds(2)));
}

TEST(lease_table, a_large_subnet_has_a_bound) {
  lease_table t(*net::cidr::parse("10.0.0.0/8"), {}, {});
  std::size_t given = 0;
  for (std::uint32_t i = 0; i < 2'000; ++i) {
    if (!t.offer(mac(i + 1), start)) break;
    t.acknowledge(mac(i + 1), start + hour, start);
    ++given;
  }
  EXPECT_EQ(given, lease_table::most_leases);
}

TEST(lease_table, the_smallest_subnet_has_no_pool) {
  lease_table t(*net::cidr::parse("192.168.127.0/30"), {ip("192.168.127.1")}, {{mac(99), ip("192.168.127.2")}});
  EXPECT_FALSE(t.offer(mac(1), start));
  EXPECT_EQ(t.offer(mac(99), start), ip("192.168.127.2"));
}

TEST(lease_table, a_withdrawn_offer_is_free_at_once) {
  auto t = table();
  t.offer(mac(1), start);
  t.withdraw_offer(mac(1));
  EXPECT_FALSE(t.find(mac(1), start));
  EXPECT_EQ(t.offer(mac(2), start), ip("192.168.127.3"));
  t.acknowledge(mac(2), start + hour, start);
  t.withdraw_offer(mac(2));
  EXPECT_TRUE(t.owns(mac(2), ip("192.168.127.3"), start));
}

TEST(lease_table, an_acknowledgement_does_not_bring_an_expired_lease_back) {
  auto t = table();
  t.offer(mac(1), start);
  t.acknowledge(mac(1), start + hour, start);
  EXPECT_TRUE(t.take(mac(1), ip("192.168.127.9"), start + 2 * hour));
  t.acknowledge(mac(1), start + 3 * hour, start + 2 * hour);
  EXPECT_EQ(t.find(mac(1), start + 2 * hour), ip("192.168.127.9"));
  EXPECT_TRUE(t.owns(mac(1), ip("192.168.127.9"), start + 2 * hour));
  EXPECT_FALSE(t.owns(mac(1), ip("192.168.127.3"), start + 2 * hour));
}

TEST(lease_table, a_client_without_an_address_adopts_a_free_one_of_the_pool) {
  auto t = table();
  EXPECT_TRUE(t.adopt(mac(1), ip("192.168.127.77"), start + hour, start));
  EXPECT_TRUE(t.owns(mac(1), ip("192.168.127.77"), start));
  EXPECT_EQ(t.find(mac(1), start), ip("192.168.127.77"));
  EXPECT_FALSE(t.adopt(mac(1), ip("192.168.127.78"), start + hour, start)) << "it has one";
  EXPECT_FALSE(t.adopt(mac(2), ip("192.168.127.77"), start + hour, start)) << "another has it";
  EXPECT_FALSE(t.adopt(mac(99), ip("192.168.127.78"), start + hour, start)) << "it has a fixed one";
  t.offer(mac(3), start);
  EXPECT_FALSE(t.adopt(mac(3), ip("192.168.127.78"), start + hour, start)) << "it has an offer";
  for (const auto* reserved :
       {"192.168.127.0", "192.168.127.1", "192.168.127.2", "192.168.127.254", "192.168.127.255", "10.0.0.3"})
    EXPECT_FALSE(t.adopt(mac(4), ip(reserved), start + hour, start)) << reserved;
  EXPECT_TRUE(t.adopt(mac(2), ip("192.168.127.77"), start + 2 * hour, start + hour)) << "the lease has ended";
}

}  // namespace
}  // namespace netstack::dhcp
