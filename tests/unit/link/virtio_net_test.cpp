#include "link/virtio_net.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/link/frames.hpp"

namespace links::virtio_net {
namespace {

// linux/virtio_net.h, which is not C++.
struct virtio_net_hdr {
  std::uint8_t flags, gso_type;
  std::uint16_t hdr_len, gso_size, csum_start, csum_offset;
};
constexpr std::uint8_t VIRTIO_NET_HDR_F_NEEDS_CSUM = 1, VIRTIO_NET_HDR_F_DATA_VALID = 2, VIRTIO_NET_HDR_GSO_NONE = 0,
                       VIRTIO_NET_HDR_GSO_TCPV4 = 1, VIRTIO_NET_HDR_GSO_UDP = 3, VIRTIO_NET_HDR_GSO_TCPV6 = 4;

virtio_net_hdr tcp_segments() {
  virtio_net_hdr h{};
  h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
  h.hdr_len = 54;
  h.gso_size = 1460;
  h.csum_start = 34;
  h.csum_offset = 16;
  return h;
}

std::optional<header> parsed(const virtio_net_hdr& h, std::size_t frame_size = 3000) {
  std::array<std::uint8_t, virtio_header_size> raw{};
  std::memcpy(raw.data(), &h, raw.size());
  return parse(raw, bytes(frame_size));
}

TEST(virtio_net, what_the_kernel_writes_is_understood) {
  const auto found = parsed(tcp_segments());
  ASSERT_TRUE(found);
  EXPECT_EQ(
      found->how,
      (netstack::offload{
          .needs_checksum = true, .checksum_start = 34, .checksum_offset = 16, .gso_size = 1460, .header_length = 54}));
  virtio_net_hdr valid{};
  valid.flags = VIRTIO_NET_HDR_F_DATA_VALID;
  EXPECT_TRUE(parsed(valid)->checksum_valid);
  EXPECT_EQ(parsed(virtio_net_hdr{})->how, netstack::offload{});
}

TEST(virtio_net, what_we_write_is_what_we_read) {
  for (const auto& how :
       {netstack::offload{}, netstack::offload{.needs_checksum = true, .checksum_start = 34, .checksum_offset = 6},
        parsed(tcp_segments())->how}) {
    const auto raw = to_bytes(how);
    const auto again = parse(raw, bytes(3000));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->how, how);
    EXPECT_FALSE(again->checksum_valid);
  }
  virtio_net_hdr kernel{};
  std::memcpy(&kernel, to_bytes(parsed(tcp_segments())->how).data(), sizeof kernel);
  const auto expected = tcp_segments();
  EXPECT_EQ(std::memcmp(&kernel, &expected, sizeof kernel), 0);
}

TEST(virtio_net, a_checksum_outside_of_the_frame_is_refused) {
  auto h = tcp_segments();
  h.gso_type = VIRTIO_NET_HDR_GSO_NONE;
  EXPECT_TRUE(parsed(h, 52));
  EXPECT_FALSE(parsed(h, 51));
  h.csum_start = 0xffff;
  h.csum_offset = 0xffff;
  EXPECT_FALSE(parsed(h, 65'535));
  h.csum_start = 13;
  h.csum_offset = 0;
  EXPECT_FALSE(parsed(h)) << "within the Ethernet header";
}

TEST(virtio_net, segments_need_a_size_a_checksum_and_payload) {
  const auto refused = [](auto change, std::size_t frame = 3000) {
    auto h = tcp_segments();
    change(h);
    return !parsed(h, frame);
  };
  EXPECT_TRUE(refused([](auto& h) { h.gso_size = 0; }));
  EXPECT_TRUE(refused([](auto& h) { h.gso_size = smallest_gso_size - 1; }));
  EXPECT_TRUE(refused([](auto& h) { h.flags = 0; }));
  EXPECT_TRUE(refused([](auto& h) { h.hdr_len = 53; }));
  EXPECT_TRUE(refused([](auto&) {}, 54)) << "no payload";
  EXPECT_FALSE(refused([](auto& h) { h.gso_size = smallest_gso_size; }));
}

TEST(virtio_net, other_kinds_of_segments_are_refused) {
  for (const int kind : std::initializer_list<int>{VIRTIO_NET_HDR_GSO_UDP, VIRTIO_NET_HDR_GSO_TCPV6, 5,
                                                   0x80 | VIRTIO_NET_HDR_GSO_TCPV4, 0xff}) {
    auto h = tcp_segments();
    h.gso_type = static_cast<std::uint8_t>(kind);
    EXPECT_FALSE(parsed(h)) << kind;
  }
}

TEST(virtio_net, a_header_that_is_cut_is_refused) { EXPECT_FALSE(parse(bytes(9), bytes(60))); }

}  // namespace
}  // namespace links::virtio_net
