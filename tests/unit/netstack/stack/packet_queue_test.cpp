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

// A frame never lies across two chunks: what is left of one is given up, and the bound counts whole chunks.
TEST(packet_queue, frames_of_every_size_stay_within_the_bound) {
  for (const std::size_t size : {42UL, 1'514UL, 40'000UL, 65'549UL, packet_queue::chunk_size}) {
    packet_queue queue(packet_queue::chunk_size * 3);
    std::size_t held = 0;
    while (put(queue, size, static_cast<std::uint8_t>(held))) ++held;
    EXPECT_EQ(held, packet_queue::chunk_size / size * 4) << size;
    EXPECT_EQ(queue.bytes(), packet_queue::chunk_size * 4);
    frame_out frame;
    for (std::size_t i = 0; i < held; ++i) {
      ASSERT_TRUE(queue.take(frame));
      ASSERT_EQ(frame.parts[0].front(), static_cast<std::uint8_t>(i));
      ASSERT_EQ(frame.parts[0].back(), static_cast<std::uint8_t>(i));
    }
    queue.release_taken();
    EXPECT_EQ(queue.bytes(), 0U);
    EXPECT_TRUE(queue.empty());
  }
}

TEST(packet_queue, a_place_that_is_begun_and_not_added_is_the_next_frames) {
  packet_queue queue(packet_queue::chunk_size);
  const auto given_up = queue.begin(100);
  const auto next = queue.begin(200);
  EXPECT_EQ(given_up.data(), next.data());
  queue.add(mac, 1);
  frame_out frame;
  ASSERT_TRUE(queue.take(frame));
  EXPECT_EQ(frame.size, 200U);
  EXPECT_FALSE(queue.take(frame));
}

// As a link does that takes a few frames a turn, while others come.
TEST(packet_queue, a_steady_stream_passes_in_order_and_holds_little) {
  packet_queue queue(packet_queue::chunk_size * 8);
  std::uint8_t in = 0, out = 0;
  for (int turn = 0; turn < 5'000; ++turn) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(put(queue, 1'000, in++));
    frame_out frame;
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(queue.take(frame));
      ASSERT_EQ(frame.parts[0][999], out++);
    }
    queue.release_taken();
    ASSERT_LE(queue.bytes(), packet_queue::chunk_size);
  }
}

TEST(packet_queue, releasing_what_was_not_taken_releases_nothing) {
  packet_queue queue(packet_queue::chunk_size);
  put(queue, 10, 1);
  queue.release_taken();
  EXPECT_FALSE(queue.empty());
  frame_out frame;
  EXPECT_TRUE(queue.take(frame));
  EXPECT_EQ(frame.parts[0][0], 1);
}

}  // namespace
}  // namespace netstack
