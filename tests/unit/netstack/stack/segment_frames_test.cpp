#include "netstack/stack/segment_frames.hpp"

#include <gtest/gtest.h>

#include "netstack/checksum.hpp"
#include "tests/unit/netstack/packets.hpp"

namespace netstack {
namespace {

constexpr net::mac_address own{{2, 0, 0, 0, 0, 1}};
constexpr location place{{{2, 0, 0, 0, 0, 2}}, 5};
constexpr flow_key flow{.vm = {vm, 5'000}, .peer = {gateway, 80}};
constexpr link_properties offload_link{.checksum_offload = true, .most_segment_data = 65'480};

tcp::outgoing segment_of(const bytes& payload, std::size_t first_slice) {
  tcp::outgoing made;
  made.header.number = {1'000};
  made.header.flags = {.fin = true, .psh = true, .ack = true};
  made.header.options.sack_blocks = 1;
  const bytes_view all(payload);
  made.payload = {all.first(first_slice), all.subspan(first_slice)};
  made.most_segment = 1'460;
  return made;
}

bytes join(const frame_out& frame) {
  bytes all;
  for (const auto& part : frame.parts) all.insert(all.end(), part.begin(), part.end());
  EXPECT_EQ(all.size(), frame.size);
  return all;
}

TEST(segment_frames, a_whole_checksum_over_slices_of_any_length) {
  const auto payload = counting(1'001);
  for (std::size_t first = 0; first <= payload.size(); ++first) {
    segment_frames frames(own);
    frames.start(segment_of(payload, first), flow);
    frame_out out;
    frames.take(out, place, {}, 7);
    EXPECT_FALSE(frames.in_progress());
    EXPECT_FALSE(out.how.needs_checksum);
    const auto whole = join(out);
    const auto packet = ipv4::parse(ethernet::parse(whole)->payload);
    ASSERT_TRUE(packet);
    const auto s = tcp::parse(*packet);
    ASSERT_TRUE(s) << first;
    EXPECT_EQ(to_bytes(s->payload), payload);
    EXPECT_EQ(s->source_port, 80);
    EXPECT_EQ(s->destination_port, 5'000);
  }
}

TEST(segment_frames, offload_leaves_checksum_and_cutting_to_the_other_end) {
  const auto payload = counting(60'000);
  segment_frames frames(own);
  frames.start(segment_of(payload, 17), flow);
  frame_out out;
  frames.take(out, place, offload_link, 7);
  EXPECT_FALSE(frames.in_progress());
  auto whole = join(out);
  EXPECT_TRUE(out.how.needs_checksum);
  EXPECT_EQ(out.how.checksum_start, 34);
  EXPECT_EQ(out.how.checksum_offset, 16);
  EXPECT_EQ(out.how.gso_size, 1'460);
  EXPECT_EQ(out.how.header_length, out.parts[0].size());
  // Completing it as the receiver does yields a right segment, and the IPv4 header was right before.
  const auto sum = checksum(bytes_view(whole).subspan(out.how.checksum_start));
  store_16(whole, out.how.checksum_start + std::size_t{out.how.checksum_offset}, sum);
  const auto packet = ipv4::parse(ethernet::parse(whole)->payload);
  ASSERT_TRUE(packet);
  EXPECT_TRUE(tcp::parse(*packet));
}

TEST(segment_frames, a_segment_of_one_frame_is_not_marked_for_cutting) {
  segment_frames frames(own);
  const auto payload = counting(1'460);
  frames.start(segment_of(payload, 0), flow);
  frame_out out;
  frames.take(out, place, offload_link, 7);
  EXPECT_TRUE(out.how.needs_checksum);
  EXPECT_EQ(out.how.gso_size, 0);
  EXPECT_EQ(out.how.header_length, 0);
}

// A connection that began on an offload link goes on over a plain one.
TEST(segment_frames, a_plain_link_gets_large_segments_cut) {
  const auto payload = counting(10'000);
  segment_frames frames(own);
  frames.start(segment_of(payload, 5'001), flow);
  bytes together;
  std::uint32_t number = 1'000;
  while (frames.in_progress()) {
    frame_out out;
    frames.take(out, place, {}, 7);
    EXPECT_EQ(out.how, offload{});
    const auto whole = join(out);
    const auto s = tcp::parse(*ipv4::parse(ethernet::parse(whole)->payload));
    ASSERT_TRUE(s);
    EXPECT_LE(s->payload.size(), 1'460U);
    EXPECT_EQ(s->number.value, number);
    EXPECT_EQ(s->flags.fin, !frames.in_progress());
    number += static_cast<std::uint32_t>(s->payload.size());
    together.insert(together.end(), s->payload.begin(), s->payload.end());
  }
  EXPECT_EQ(together, payload);
}

TEST(segment_frames, headers_stay_until_released) {
  segment_frames frames(own);
  std::vector<frame_out> taken(1'000);
  for (std::uint32_t i = 0; i < taken.size(); ++i) {
    auto s = segment_of({}, 0);
    s.header.number = {i};
    frames.start(s, flow);
    frames.take(taken[i], place, {}, 7);
  }
  for (std::uint32_t i = 0; i < taken.size(); ++i) EXPECT_EQ(load_32(taken[i].parts[0], 38), i);
  frames.release();
}

}  // namespace
}  // namespace netstack
