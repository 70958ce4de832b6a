#include "netstack/stack/packet_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace netstack {
namespace {

constexpr net::mac_address mac{{2, 0, 0, 0, 0, 1}};

bool put(packet_queue& queue, std::size_t size, std::uint8_t value) {
  const auto place = queue.begin(size);
  if (place.empty()) return false;
  std::ranges::fill(place, value);
  queue.add(mac, 4);
  return true;
}

TEST(packet_queue, frames_come_out_in_order_and_stay_until_released) {
  packet_queue queue(std::size_t{1} << 20U);
  for (std::uint8_t i = 1; i <= 10; ++i) ASSERT_TRUE(put(queue, 60'000, i));
  std::vector<frame_out> taken(10);
  for (auto& frame : taken) ASSERT_TRUE(queue.take(frame));
  frame_out none;
  EXPECT_FALSE(queue.take(none));
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(taken[i].size, 60'000U);
    EXPECT_EQ(taken[i].link, 4U);
    EXPECT_EQ(std::ranges::count(taken[i].parts[0], i + 1), 60'000);
  }
  queue.release_taken();
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(packet_queue, is_bounded_and_full_only_until_its_frames_are_written) {
  packet_queue queue(packet_queue::chunk_size * 3);
  std::size_t held = 0;
  while (put(queue, 1'514, 1)) ++held;
  EXPECT_LE(queue.bytes(), packet_queue::chunk_size * 4);
  EXPECT_GT(held, 300U);
  frame_out frame;
  for (std::size_t i = 0; i < held / 2; ++i) ASSERT_TRUE(queue.take(frame));
  queue.release_taken();
  EXPECT_TRUE(put(queue, 1'514, 2));
  std::size_t left = 0;
  while (queue.take(frame)) ++left;
  EXPECT_EQ(left, held - held / 2 + 1);
  EXPECT_EQ(frame.parts[0][0], 2);
}

TEST(packet_queue, nothing_larger_than_a_chunk) {
  packet_queue queue(packet_queue::chunk_size * 3);
  EXPECT_TRUE(queue.begin(packet_queue::chunk_size + 1).empty());
  EXPECT_EQ(queue.begin(65'549).size(), 65'549U);
}

}  // namespace
}  // namespace netstack
