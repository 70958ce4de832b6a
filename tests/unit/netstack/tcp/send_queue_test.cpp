#include "netstack/tcp/send_queue.hpp"

#include <gtest/gtest.h>

namespace netstack::tcp {
namespace {

constexpr sequence first{0xffff'ff00};

// Fills all the room; the bytes count on.
std::size_t fill(send_queue& q, sequence sent) {
  auto at = q.end();
  std::size_t size = 0;
  for (const auto slice : q.room(sent))
    for (auto& byte : slice) {
      byte = static_cast<std::uint8_t>(at.value * 7 + at.value / 256);
      at += 1;
      ++size;
    }
  q.written(size);
  return size;
}

void expect_counting(const send_queue& q) {
  auto at = q.begin();
  for (const auto slice : q.slices(q.begin(), q.size()))
    for (const auto byte : slice) {
      ASSERT_EQ(byte, static_cast<std::uint8_t>(at.value * 7 + at.value / 256));
      at += 1;
    }
}

TEST(send_queue, begins_small_and_is_given_back_when_empty) {
  send_queue q(1 << 20);
  q.start(first);
  EXPECT_EQ(q.memory(), 0U);
  EXPECT_EQ(fill(q, first), byte_ring::smallest);
  q.acknowledged(q.end());
  EXPECT_EQ(q.memory(), 0U);
}

TEST(send_queue, an_unused_ring_is_given_back) {
  send_queue q(1 << 20);
  q.start(first);
  EXPECT_FALSE(q.room(first)[0].empty());
  q.written(0);
  EXPECT_EQ(q.memory(), 0U);
}

TEST(send_queue, grows_while_it_is_what_holds_the_stream_up) {
  send_queue q(1 << 20);
  q.start(first);
  std::size_t total = 0;
  for (int i = 0; i < 6; ++i) {
    total += fill(q, q.end());
    expect_counting(q);
  }
  EXPECT_EQ(total, std::size_t{1} << 20U);
  EXPECT_EQ(q.memory(), std::size_t{1} << 20U);
  q.acknowledged(q.end());
  q.trim();
  EXPECT_EQ(q.memory(), 0U);
}

TEST(send_queue, does_not_grow_while_bytes_wait_to_be_sent) {
  send_queue q(1 << 20);
  q.start(first);
  fill(q, first);
  EXPECT_EQ(fill(q, first), 0U);
  EXPECT_FALSE(q.has_room(first));
  EXPECT_TRUE(q.has_room(q.end()));
  q.acknowledged(first + byte_ring::smallest / 2);
  EXPECT_TRUE(q.has_room(first));
}

TEST(send_queue, wraps_and_keeps_its_bytes) {
  send_queue q(byte_ring::smallest);
  q.start(first);
  for (int i = 0; i < 20; ++i) {
    fill(q, q.end());
    expect_counting(q);
    EXPECT_EQ(q.size(), byte_ring::smallest);
    q.acknowledged(q.begin() + 5'001);
    expect_counting(q);
  }
}

TEST(send_queue, a_limit_that_is_not_a_power_of_two_holds) {
  send_queue q(20'000);
  q.start(first);
  for (int i = 0; i < 5; ++i) fill(q, q.end());
  EXPECT_EQ(q.size(), 20'000U);
}

TEST(send_queue, a_ring_that_may_not_grow_keeps_its_size_and_says_when_it_has_room) {
  send_queue q(1 << 20);
  q.start(first);
  EXPECT_EQ(q.room(first, {.allowed = false})[0].size() + q.room(first, {.allowed = false})[1].size(),
            byte_ring::smallest);
  fill(q, first);
  EXPECT_TRUE(q.room(q.end(), {.allowed = false})[0].empty());
  EXPECT_EQ(q.memory(), byte_ring::smallest);
  EXPECT_FALSE(q.has_room(q.end()));
  q.acknowledged(q.begin() + byte_ring::smallest / 4);
  EXPECT_TRUE(q.has_room(q.end()));
  EXPECT_FALSE(q.room(q.end(), {})[0].empty());
  EXPECT_GT(q.memory(), byte_ring::smallest);
}

TEST(send_queue, a_share_that_shrinks_bounds_what_waits_and_one_that_grows_opens_the_ring) {
  send_queue q(1 << 20);
  q.start(first);
  const auto room_of = [&](std::size_t most) {
    const auto room = q.room(q.end(), {.most = most});
    return room[0].size() + room[1].size();
  };
  fill(q, first);
  fill(q, q.end());  // 64 KiB
  EXPECT_EQ(q.size(), 65'536U);
  EXPECT_EQ(room_of(32'768), 0U);
  EXPECT_FALSE(q.has_room(q.end()));
  q.acknowledged(q.end() - 30'000);
  EXPECT_FALSE(q.has_room(q.end()));
  q.acknowledged(q.end() - 20'000);
  EXPECT_TRUE(q.has_room(q.end()));
  EXPECT_EQ(room_of(32'768), 12'768U);
  EXPECT_EQ(room_of(1), 0U);  // never below the smallest ring
  q.acknowledged(q.end() - 1'000);
  EXPECT_EQ(room_of(1), byte_ring::smallest - 1'000);
  EXPECT_GE(room_of(1 << 20), 65'536U - 1'000);
}

}  // namespace
}  // namespace netstack::tcp
