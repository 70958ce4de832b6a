#include "netstack/udp_datagram.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/packets.hpp"

namespace netstack::udp {
namespace {

bytes make_datagram(const bytes& payload) {
  bytes made(header_size);
  made.insert(made.end(), payload.begin(), payload.end());
  write_header(made, vm, gateway, 5'353, 53);
  return made;
}

bytes in_packet(const bytes& datagram) {
  return make_packet({.source = vm, .destination = gateway, .protocol = ipv4::protocol::udp}, datagram);
}

TEST(udp_datagram, every_size_and_back) {
  for (const std::size_t size : {0UL, 1UL, 2UL, 511UL, 1'472UL, most_payload}) {
    const auto payload = counting(size);
    const auto packet = in_packet(make_datagram(payload));
    const auto d = parse(*ipv4::parse(packet));
    ASSERT_TRUE(d) << size;
    EXPECT_EQ(d->source_port, 5'353);
    EXPECT_EQ(d->destination_port, 53);
    EXPECT_EQ(to_bytes(d->payload), payload);
  }
}

TEST(udp_datagram, invalid_lengths_are_refused) {
  for (const std::uint16_t length : {std::uint16_t{0}, std::uint16_t{7}, std::uint16_t{14}, std::uint16_t{65'535}}) {
    auto bent = make_datagram(text("hello"));
    store_16(bent, 4, length);
    store_16(bent, 6, 0);
    const auto packet = in_packet(bent);
    EXPECT_FALSE(parse(*ipv4::parse(packet))) << length;
  }
}

TEST(udp_datagram, a_wrong_checksum_is_refused_and_none_is_fine) {
  auto bent = make_datagram(text("hello"));
  bent.back() = 'O';
  EXPECT_FALSE(parse(*ipv4::parse(in_packet(bent))));
  EXPECT_TRUE(parse(*ipv4::parse(in_packet(bent)), check::skip));
  store_16(bent, 6, 0);
  EXPECT_TRUE(parse(*ipv4::parse(in_packet(bent))));
}

TEST(udp_datagram, a_checksum_of_zero_is_written_as_ones) {
  for (unsigned word = 0; word < 65'536; ++word) {
    bytes payload(2);
    store_16(payload, 0, static_cast<std::uint16_t>(word));
    if (load_16(make_datagram(payload), 6) == 0xffff) return;
    ASSERT_NE(load_16(make_datagram(payload), 6), 0);
  }
  FAIL() << "one of these payloads has the sum zero";
}

}  // namespace
}  // namespace netstack::udp
