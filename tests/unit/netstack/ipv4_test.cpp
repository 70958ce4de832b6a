#include "netstack/ipv4.hpp"

#include <gtest/gtest.h>

#include "netstack/checksum.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace netstack::ipv4 {
namespace {

const header_fields fields{.source = vm,
                           .destination = gateway,
                           .protocol = protocol::udp,
                           .ttl = 9,
                           .type_of_service = 0x10,
                           .id = 0x1234,
                           .fragment_offset = 0,
                           .more_fragments = false,
                           .dont_fragment = true};

TEST(ipv4, a_header_and_back) {
  const auto written = make_packet(fields, text("hello"));
  const auto p = parse(written);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->source, vm);
  EXPECT_EQ(p->destination, gateway);
  EXPECT_TRUE(p->is(protocol::udp));
  EXPECT_EQ(p->ttl, 9);
  EXPECT_EQ(p->type_of_service, 0x10);
  EXPECT_EQ(p->id, 0x1234);
  EXPECT_TRUE(p->dont_fragment);
  EXPECT_FALSE(p->is_fragment());
  EXPECT_EQ(to_bytes(p->payload), text("hello"));
}

TEST(ipv4, the_address_in_its_two_forms) {
  const auto address = net::address::v4(192, 168, 127, 2);
  EXPECT_EQ(from_net(address), vm);
  EXPECT_EQ(to_net(vm), address);
  EXPECT_TRUE(from_net(net::address::v4(224, 0, 0, 251)).is_multicast());
  EXPECT_TRUE(from_net(net::address::v4(169, 254, 1, 1)).is_link_local());
  EXPECT_TRUE(from_net(net::address::v4(127, 9, 9, 9)).is_loopback());
}

TEST(ipv4, padding_of_the_link_is_not_payload) {
  auto padded = make_packet(fields, text("x"));
  padded.resize(46);
  EXPECT_EQ(to_bytes(parse(padded)->payload), text("x"));
}

TEST(ipv4, options_are_skipped) {
  auto with = make_packet(fields, {1, 1, 1, 1, 'x'});
  with[0] = 0x46;
  store_16(with, 10, 0);
  store_16(with, 10, checksum(bytes_view(with).first(24)));
  const auto p = parse(with);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->header.size(), 24U);
  EXPECT_EQ(to_bytes(p->payload), text("x"));
}

TEST(ipv4, invalid_lengths_are_refused) {
  const auto good = make_packet(fields, text("hello"));
  const auto refused = [&](std::size_t at, std::uint8_t value) {
    auto bent = good;
    bent[at] = value;
    return !parse(bent, check::skip);
  };
  EXPECT_TRUE(refused(0, 0x65));  // version 6
  EXPECT_TRUE(refused(0, 0x44));  // a header of 16 bytes
  EXPECT_TRUE(refused(0, 0x4f));  // a header beyond the bytes
  EXPECT_TRUE(refused(3, 19));    // a total below the header
  EXPECT_TRUE(refused(3, 26));    // a total beyond the bytes
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse(bytes_view(good).first(size)));
}

TEST(ipv4, a_wrong_checksum_is_refused_unless_skipped) {
  auto bent = make_packet(fields, text("hello"));
  bent[10] = static_cast<std::uint8_t>(bent[10] ^ 1U);
  EXPECT_FALSE(parse(bent));
  EXPECT_TRUE(parse(bent, check::skip));
}

TEST(ipv4, a_fragment_beyond_the_largest_datagram_is_refused) {
  auto last = fields;
  last.fragment_offset = 65'512;
  EXPECT_TRUE(parse(make_packet(last, bytes(3))));
  EXPECT_FALSE(parse(make_packet(last, bytes(4))));
}

}  // namespace
}  // namespace netstack::ipv4
