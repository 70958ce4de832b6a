#include "netstack/fragments.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/netstack/packets.hpp"

namespace netstack {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1'000h};

ipv4::header_fields fields(std::uint16_t id) {
  return {.source = vm, .destination = gateway, .protocol = ipv4::protocol::udp, .ttl = 60, .id = id};
}

std::optional<bytes> add(fragments& all, const bytes& packet, time_point now = start) {
  const auto whole = all.add(*ipv4::parse(packet), now);
  if (!whole) return std::nullopt;
  EXPECT_FALSE(whole->is_fragment());
  EXPECT_EQ(whole->source, vm);
  return to_bytes(whole->payload);
}

TEST(fragments, in_any_order_and_doubled) {
  std::mt19937 random(3);
  for (const std::size_t size : {1'473UL, 2'960UL, 8'200UL, 65'515UL}) {
    const auto payload = counting(size);
    auto packets = cut(fields(1), payload, 1'500);
    for (int round = 0; round < 20; ++round) {
      fragments all;
      std::ranges::shuffle(packets, random);
      std::optional<bytes> whole;
      for (const auto& packet : packets) {
        whole = add(all, packet);
        if (!whole) EXPECT_FALSE(add(all, packet));
      }
      EXPECT_EQ(whole, payload);
      EXPECT_EQ(all.datagrams(), 0U);
      EXPECT_EQ(all.bytes(), 0U);
    }
  }
}

TEST(fragments, two_datagrams_with_one_id_of_two_senders) {
  fragments all;
  auto other = fields(1);
  other.source = gateway;
  const auto a = cut(fields(1), counting(2'000), 1'500), b = cut(other, bytes(2'000, 9), 1'500);
  EXPECT_FALSE(add(all, a[0]));
  EXPECT_FALSE(all.add(*ipv4::parse(b[0]), start));
  EXPECT_EQ(add(all, a[1]), counting(2'000));
  EXPECT_EQ(to_bytes(all.add(*ipv4::parse(b[1]), start)->payload), bytes(2'000, 9));
}

TEST(fragments, overlaps_end_the_datagram) {
  const auto piece = [](std::uint16_t offset, std::size_t size, bool more) {
    auto f = fields(5);
    f.fragment_offset = offset;
    f.more_fragments = more;
    return make_packet(f, counting(size));
  };
  const std::vector<std::vector<bytes>> attacks{
      {piece(0, 64, true), piece(32, 64, true)},    // over the end of another
      {piece(32, 64, true), piece(0, 64, true)},    // over the begin of another
      {piece(0, 64, true), piece(0, 32, true)},     // the same begin
      {piece(0, 64, true), piece(8, 8, true)},      // inside
      {piece(64, 8, false), piece(128, 8, true)},   // behind the end
      {piece(64, 8, false), piece(128, 8, false)},  // a second end
      {piece(128, 64, true), piece(64, 8, false)},  // an end before what is there
  };
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    fragments all;
    for (const auto& packet : attacks[i]) EXPECT_FALSE(add(all, packet));
    EXPECT_EQ(all.datagrams(), 0U) << i;
    EXPECT_EQ(all.bytes(), 0U) << i;
    EXPECT_EQ(all.dropped(), 1U) << i;
  }
}

TEST(fragments, empty_and_ragged_ones_are_not_kept) {
  fragments all;
  auto f = fields(5);
  f.more_fragments = true;
  EXPECT_FALSE(add(all, make_packet(f, {})));
  EXPECT_FALSE(add(all, make_packet(f, bytes(9))));
  EXPECT_EQ(all.datagrams(), 0U);
}

TEST(fragments, what_is_not_complete_in_time_goes) {
  fragments all;
  const auto packets = cut(fields(1), counting(2'000), 1'500);
  EXPECT_EQ(all.wake_at(), time_point::max());
  EXPECT_FALSE(add(all, packets[0]));
  EXPECT_EQ(all.wake_at(), start + 30s);
  all.expire(start + 30s - 1ms);
  EXPECT_EQ(all.datagrams(), 1U);
  all.expire(start + 30s);
  EXPECT_EQ(all.datagrams(), 0U);
  EXPECT_FALSE(add(all, packets[1], start + 31s));
}

TEST(fragments, a_flood_is_bounded_and_the_oldest_go) {
  fragments all({.most_datagrams = 8, .most_bytes = 65'536, .wait = 30s});
  const auto payload = counting(60'000);
  for (std::uint16_t id = 0; id < 5'000; ++id) {
    EXPECT_FALSE(add(all, cut(fields(id), payload, 40'000)[0]));
    EXPECT_LE(all.datagrams(), 8U);
    EXPECT_LE(all.bytes(), 65'536U);
  }
  EXPECT_EQ(add(all, cut(fields(4'999), payload, 40'000)[1]), payload);
}

// Pieces of eight bytes with a hole behind each: they cost far more than their payload.
TEST(fragments, the_number_of_small_pieces_is_bounded) {
  fragments all;
  for (std::uint32_t i = 0; i < 60'000; ++i) {
    auto f = fields(static_cast<std::uint16_t>(i % 60));
    f.fragment_offset = static_cast<std::uint16_t>(8 + i / 60 * 16);
    f.more_fragments = true;
    EXPECT_FALSE(add(all, make_packet(f, bytes(8))));
    ASSERT_LE(all.pieces(), fragments::most_pieces);
    ASSERT_LE(all.bytes(), 8 * fragments::most_pieces);
  }
  EXPECT_GT(all.dropped(), 0U);
  all.expire(start + 30s);
  EXPECT_EQ(all.pieces(), 0U);
  EXPECT_EQ(all.bytes(), 0U);
}

TEST(fragments, the_largest_datagram_in_the_smallest_pieces_is_put_together) {
  fragments all;
  const auto payload = counting(65'515);
  const auto packets = cut(fields(3), payload, ipv4::header_size + 8);
  ASSERT_EQ(packets.size(), 8'190U);
  for (std::size_t i = packets.size() - 1; i > 0; --i) ASSERT_FALSE(add(all, packets[i]));
  EXPECT_EQ(all.pieces(), 8'189U);
  EXPECT_EQ(add(all, packets[0]), payload);
  EXPECT_EQ(all.pieces(), 0U);
}

TEST(fragments, cut_keeps_what_fits_whole) {
  EXPECT_EQ(cut(fields(1), {}, 1'500).size(), 1U);
  EXPECT_EQ(cut(fields(1), counting(1'480), 1'500).size(), 1U);
  const auto two = cut(fields(1), counting(1'481), 1'500);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_TRUE(ipv4::parse(two[0])->more_fragments);
  EXPECT_FALSE(ipv4::parse(two[1])->more_fragments);
  EXPECT_EQ(ipv4::parse(two[1])->fragment_offset, 1'480);
}

}  // namespace
}  // namespace netstack
