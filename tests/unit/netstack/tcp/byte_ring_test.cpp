#include "netstack/tcp/byte_ring.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/netstack/packets.hpp"

namespace netstack::tcp {
namespace {

bytes content(const byte_ring& ring, sequence at, std::size_t size) {
  bytes all;
  for (const auto slice : ring.slices(at, size)) all.insert(all.end(), slice.begin(), slice.end());
  return all;
}

TEST(byte_ring, holds_nothing_until_it_grows) {
  byte_ring ring;
  EXPECT_EQ(ring.capacity(), 0U);
  EXPECT_TRUE(ring.slices({7}, 0)[0].empty());
  EXPECT_FALSE(ring.holds(bytes_view{}));
  ring.grow(1, {7}, 0);
  EXPECT_EQ(ring.capacity(), byte_ring::smallest);
  ring.release();
  EXPECT_EQ(ring.capacity(), 0U);
}

TEST(byte_ring, capacities_are_powers_of_two_and_never_shrink) {
  byte_ring ring;
  ring.grow(20'000, {0}, 0);
  EXPECT_EQ(ring.capacity(), 32'768U);
  ring.grow(10, {0}, 0);
  EXPECT_EQ(ring.capacity(), 32'768U);
  ring.grow(32'769, {0}, 0);
  EXPECT_EQ(ring.capacity(), 65'536U);
}

// A place at each position relative to the end of the ring, and at the wrap of the numbers.
TEST(byte_ring, bytes_come_back_from_every_place) {
  byte_ring ring;
  ring.grow(byte_ring::smallest, {0}, 0);
  const auto stored = counting(1'000);
  const auto size = static_cast<std::uint32_t>(byte_ring::smallest);
  for (std::uint32_t before_end = 0; before_end <= 1'001; ++before_end)
    for (const auto at : {sequence{size} - before_end, sequence{0} - before_end}) {
      ring.store(at, stored);
      ASSERT_EQ(content(ring, at, stored.size()), stored) << before_end;
      const auto slices = ring.slices(at, stored.size());
      ASSERT_EQ(slices[0].size(), before_end == 0 || before_end > 1'000 ? 1'000U : before_end);
      ASSERT_TRUE(ring.holds(slices[0]));
    }
}

TEST(byte_ring, growing_keeps_the_content_in_its_order) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    byte_ring ring;
    ring.grow(byte_ring::smallest, {0}, 0);
    const sequence at{static_cast<std::uint32_t>(random())};
    const auto stored = counting(random() % (byte_ring::smallest + 1));
    ring.store(at, stored);
    ring.grow(byte_ring::smallest * 4, at, stored.size());
    ASSERT_EQ(ring.capacity(), byte_ring::smallest * 4);
    ASSERT_EQ(content(ring, at, stored.size()), stored);
  }
}

TEST(byte_ring, slices_of_other_memory_are_not_its_own) {
  byte_ring ring, other;
  ring.grow(1, {0}, 0);
  other.grow(1, {0}, 0);
  EXPECT_FALSE(ring.holds(other.slices({0}, 10)[0]));
  EXPECT_TRUE(ring.holds(ring.slices({static_cast<std::uint32_t>(byte_ring::smallest - 1)}, 1)[0]));
  const bytes outside(10);
  EXPECT_FALSE(ring.holds(outside));
}

}  // namespace
}  // namespace netstack::tcp
