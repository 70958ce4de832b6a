#include "netstack/stack/flow_room.hpp"

#include <gtest/gtest.h>

namespace netstack {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};
constexpr std::size_t kib = 1024;
const stack_limits limits;

TEST(flow_room, a_flow_begins_small_and_alone_has_the_most) {
  flow_room room(limits);
  EXPECT_EQ(room.window(7, false, 1), flow_room::first_window);
  EXPECT_EQ(room.window(7, true, 1), flow_room::first_window);
  EXPECT_EQ(room.ring(), flow_room::most_ring);
  room.received(7, flow_room::much, start);
  room.sent(7, flow_room::much, start);
  EXPECT_EQ(room.window(7, false, 1), flow_room::plain_window);
  EXPECT_EQ(room.window(7, true, 1), flow_room::large_window);
  EXPECT_EQ(room.ring(), flow_room::most_ring);
}

TEST(flow_room, flows_that_carry_much_share_the_queue) {
  flow_room room(limits);
  for (std::uint32_t flow = 0; flow < 64; ++flow) {
    room.received(flow, flow_room::much, start);
    room.sent(flow, flow_room::much, start);
  }
  EXPECT_EQ(room.window(5, false, 64), flow_room::plain_queue / 64);
  EXPECT_EQ(room.window(5, true, 64), flow_room::large_queue / 64);
  EXPECT_EQ(room.ring(), flow_room::ring_queue / 64);
  for (std::uint32_t flow = 64; flow < 1'000; ++flow) room.received(flow, flow_room::much, start);
  EXPECT_EQ(room.window(5, false, 1'000), flow_room::least_window);
}

TEST(flow_room, little_flows_and_silent_ones_take_no_part) {
  flow_room room(limits);
  auto now = start;
  for (int i = 0; i < 1'000; ++i, now += 100ms) {  // 20 KiB in each second, and one that carries much
    for (std::uint32_t flow = 1; flow < 64; ++flow) room.received(flow, 2 * kib, now);
    room.received(0, flow_room::much, now);
  }
  EXPECT_EQ(room.window(0, false, 64), flow_room::plain_window);
  EXPECT_EQ(room.window(5, false, 64), flow_room::first_window);
  for (std::uint32_t flow = 0; flow < 64; ++flow) room.received(flow, flow_room::much, now);
  EXPECT_EQ(room.window(0, false, 64), flow_room::plain_queue / 64);
  now += flow_room::recent + 1ms;
  room.received(0, flow_room::much, now);
  EXPECT_EQ(room.window(0, false, 64), flow_room::plain_window);
  EXPECT_EQ(room.window(5, false, 64), flow_room::first_window);
}

TEST(flow_room, a_flow_that_goes_leaves_its_part) {
  flow_room room(limits);
  for (std::uint32_t flow = 0; flow < 64; ++flow) room.sent(flow, flow_room::much, start);
  for (std::uint32_t flow = 1; flow < 64; ++flow) room.remove(flow);
  EXPECT_EQ(room.ring(), flow_room::most_ring);
}

TEST(flow_room, memory_is_shared_among_all_flows_and_rings_are_powers_of_two) {
  flow_room room(limits);
  room.received(3, flow_room::much, start);
  EXPECT_EQ(room.window(3, false, 511), limits.receive_memory / 512);
  EXPECT_EQ(room.window(3, false, 100'000), flow_room::least_window);
  EXPECT_EQ(room.most_ring_of(0), flow_room::most_ring);
  EXPECT_EQ(room.most_ring_of(100), 256 * kib);
  EXPECT_EQ(room.most_ring_of(100'000), flow_room::least_ring);
  for (std::uint32_t flow = 0; flow < 9; ++flow) room.sent(flow, flow_room::much, start);
  EXPECT_EQ(room.ring(), 512 * kib);
}

}  // namespace
}  // namespace netstack
