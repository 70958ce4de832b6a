#include "link/plain_frame.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "link/virtio_net.hpp"
#include "netstack/checksum.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/ipv4.hpp"

namespace links {
namespace {

using bytes = std::vector<std::uint8_t>;

constexpr std::size_t checksum_start = 34, checksum_offset = 6;

// A UDP datagram of 192.168.127.2, whose checksum covers the pseudo header alone.
bytes datagram(std::size_t payload) {
  bytes frame(42 + payload, 0x5a);
  const netstack::ipv4::address from{0xc0a87f02}, to{0xc0a87f01};
  netstack::ethernet::write_header(frame, net::mac_address::broadcast(), {}, netstack::ethernet::ethertype::ipv4);
  netstack::ipv4::write_header(netstack::bytes_span(frame).subspan(14),
                               {.source = from, .destination = to, .protocol = netstack::ipv4::protocol::udp},
                               8 + payload);
  netstack::store_16(frame, 38, static_cast<std::uint16_t>(8 + payload));
  auto sum = netstack::ipv4::pseudo_header_sum(from, to, netstack::ipv4::protocol::udp, 8 + payload);
  netstack::store_16(frame, 40, static_cast<std::uint16_t>(~netstack::finish_checksum(sum)));
  return frame;
}

TEST(plain_frame, an_open_checksum_is_filled_in) {
  for (const std::size_t payload : {0UL, 1UL, 100UL, 1472UL}) {
    auto frame = datagram(payload);
    const auto header = links::virtio_net::to_bytes(
        {.needs_checksum = true, .checksum_start = checksum_start, .checksum_offset = checksum_offset});
    ASSERT_TRUE(make_plain(header, frame));
    const auto packet = netstack::ipv4::parse(netstack::bytes_view(frame).subspan(14));
    ASSERT_TRUE(packet);
    const auto pseudo = netstack::ipv4::pseudo_header_sum(packet->source, packet->destination,
                                                          netstack::ipv4::protocol::udp, packet->payload.size());
    EXPECT_EQ(netstack::checksum(packet->payload, pseudo), 0);
  }
}

TEST(plain_frame, a_complete_frame_is_unchanged) {
  auto frame = datagram(10);
  const auto before = frame;
  EXPECT_TRUE(make_plain(links::virtio_net::to_bytes({}), frame));
  EXPECT_EQ(frame, before);
}

TEST(plain_frame, segments_and_invalid_headers_are_refused) {
  bytes frame(3000);
  EXPECT_FALSE(make_plain(
      links::virtio_net::to_bytes(
          {.needs_checksum = true, .checksum_start = 34, .checksum_offset = 16, .gso_size = 1460, .header_length = 54}),
      frame));
  EXPECT_FALSE(make_plain(
      links::virtio_net::to_bytes({.needs_checksum = true, .checksum_start = 3000, .checksum_offset = 0}), frame));
}

}  // namespace
}  // namespace links
