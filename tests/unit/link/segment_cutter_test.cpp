#include "link/segment_cutter.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "netstack/checksum.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/tcp/segment.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace links {
namespace {

using netstack::bytes;
using netstack::counting;
using netstack::ipv4::header_fields;
using netstack::ipv4::protocol;
namespace ethernet = netstack::ethernet;
namespace tcp = netstack::tcp;

constexpr net::mac_address first_mac{{2, 0, 0, 0, 0, 1}}, second_mac{{2, 0, 0, 0, 0, 2}};
constexpr netstack::ipv4::address first{0xc0a87f02}, second{0xc0a87f03};

bytes framed(const header_fields& fields, const bytes& payload) {
  const auto packet = netstack::make_packet(fields, payload);
  bytes made(ethernet::header_size + packet.size());
  ethernet::write_header(made, second_mac, first_mac, ethernet::ethertype::ipv4);
  std::ranges::copy(packet, made.begin() + ethernet::header_size);
  return made;
}

header_fields fields_of(std::uint16_t id = 65'530) {
  return {.source = first, .destination = second, .protocol = protocol::tcp, .id = id, .dont_fragment = true};
}

// A segment of the first VM to the second, as its kernel hands it to a card that cuts. The options of a SYN stand for
// any.
bytes whole_segment(std::size_t payload, bool with_options = false) {
  tcp::segment s;
  s.source_port = 40'000;
  s.destination_port = 80;
  s.number = {0xffff'f000U};
  s.flags = {.fin = true, .psh = true, .ack = true, .cwr = true};
  if (with_options) {
    s.options.sack_blocks = 2;
    s.options.sack = {{{{1}, {2}}, {{3}, {4}}}};
  }
  const auto header = tcp::size_of_header(s.options);
  bytes segment(header + payload);
  std::ranges::copy(counting(payload), segment.begin() + static_cast<std::ptrdiff_t>(header));
  tcp::write_header(segment, first, second, s, tcp::checksum_kind::pseudo);
  return framed(fields_of(), segment);
}

netstack::offload cut_into(std::uint16_t size) {
  return {.needs_checksum = true, .checksum_start = 34, .checksum_offset = 16, .gso_size = size, .header_length = 54};
}

std::vector<bytes> cut(const bytes& frame, std::uint16_t size) {
  std::vector<bytes> all;
  const auto cutter = segment_cutter::begin(cut_into(size), frame);
  for (std::size_t i = 0; cutter && i < cutter->count(); ++i) {
    all.emplace_back(cutter->size(i));
    cutter->write(i, all.back());
  }
  return all;
}

// The packet of a frame, whose checksums are right.
netstack::ipv4::packet packet_of(const bytes& frame) {
  const auto head = ethernet::parse(frame);
  EXPECT_EQ(head->source, first_mac);
  EXPECT_EQ(head->destination, second_mac);
  const auto packet = netstack::ipv4::parse(head->payload);
  EXPECT_TRUE(packet);
  EXPECT_TRUE(tcp::parse(*packet));
  return *packet;
}

TEST(segment_cutter, a_frame_of_64_kilobytes_becomes_the_segments_that_it_stands_for) {
  for (const std::size_t size : {1UL, 1460UL, 1461UL, 2920UL, 65'000UL}) {
    const auto segments = cut(whole_segment(size), 1460);
    ASSERT_EQ(segments.size(), (size + 1459) / 1460);
    bytes together;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const auto packet = packet_of(segments[i]);
      const auto segment = *tcp::parse(packet);
      EXPECT_EQ(segment.number.value, static_cast<std::uint32_t>(0xffff'f000U + i * 1460));
      EXPECT_EQ(packet.id, static_cast<std::uint16_t>(65'530 + i));
      EXPECT_TRUE(packet.dont_fragment);
      EXPECT_LE(segments[i].size(), 1514U);
      together.insert(together.end(), segment.payload.begin(), segment.payload.end());
    }
    EXPECT_EQ(together, counting(size));
  }
}

TEST(segment_cutter, fin_and_psh_are_the_last_ones_and_cwr_is_the_first_ones) {
  const auto segments = cut(whole_segment(3'000), 1'000);
  ASSERT_EQ(segments.size(), 3U);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto flags = tcp::parse(packet_of(segments[i]))->flags;
    EXPECT_EQ(flags.fin, i == 2) << i;
    EXPECT_EQ(flags.psh, i == 2) << i;
    EXPECT_EQ(flags.cwr, i == 0) << i;
    EXPECT_TRUE(flags.ack) << i;
  }
}

TEST(segment_cutter, every_segment_has_the_options) {
  const auto segments = cut(whole_segment(5'000, true), 1'440);
  ASSERT_EQ(segments.size(), 4U);
  for (const auto& one : segments) {
    const auto segment = *tcp::parse(packet_of(one));
    EXPECT_EQ(segment.options.sack_blocks, 2U);
    EXPECT_EQ(segment.options.sack[1].end.value, 4U);
  }
}

TEST(segment_cutter, a_padded_frame_is_cut_without_its_padding) {
  auto frame = whole_segment(100);
  frame.resize(frame.size() + 30, 0xff);
  const auto segments = cut(frame, 60);
  ASSERT_EQ(segments.size(), 2U);
  EXPECT_EQ(tcp::parse(packet_of(segments[1]))->payload.size(), 40U);
}

TEST(segment_cutter, what_is_no_segment_of_tcp_is_not_cut) {
  auto fields = fields_of();
  fields.protocol = protocol::udp;
  EXPECT_TRUE(cut(framed(fields, counting(3'000)), 1'000).empty());
  fields = fields_of();
  fields.more_fragments = true;
  EXPECT_TRUE(cut(framed(fields, counting(3'000)), 1'000).empty());
  auto wrong = whole_segment(3'000);
  wrong[ethernet::header_size + 12] ^= 1U;  // the IPv4 checksum is wrong
  EXPECT_TRUE(cut(wrong, 1'000).empty());
  auto no_ip = whole_segment(3'000);
  no_ip[13] = 6;  // ARP
  EXPECT_TRUE(cut(no_ip, 1'000).empty());
  EXPECT_TRUE(cut(bytes(10), 1'000).empty());
  EXPECT_TRUE(cut(whole_segment(0), 1'000).empty());
  EXPECT_TRUE(cut(whole_segment(10), 0).empty());
  auto short_header = whole_segment(3'000);
  short_header[ethernet::header_size + 20 + 12] = 0x10;  // TCP's header of 4 bytes
  EXPECT_TRUE(cut(short_header, 1'000).empty());
}

TEST(segment_cutter, the_number_of_segments_has_a_bound) {
  const auto most = segment_cutter::most_segments;
  EXPECT_EQ(cut(whole_segment(8 * most), 8).size(), most);
  EXPECT_TRUE(cut(whole_segment(8 * most + 1), 8).empty());
}

}  // namespace
}  // namespace links
