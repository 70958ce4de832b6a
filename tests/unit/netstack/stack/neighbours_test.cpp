#include "netstack/stack/neighbours.hpp"

#include <gtest/gtest.h>

namespace netstack {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};
constexpr ipv4::address vm{0xc0a87f02};
constexpr location place{{{2, 0, 0, 0, 0, 1}}, 3};

TEST(neighbours, asks_three_times_and_then_drops_what_waits) {
  neighbours all(16, 8);
  EXPECT_TRUE(all.wait_for(vm, {1}, start));
  for (int second = 0; second < 3; ++second) {
    EXPECT_EQ(all.wake_at(), start + 1s * second);
    EXPECT_FALSE(all.take_due(start + 1s * second - 1ns));
    EXPECT_EQ(all.take_due(start + 1s * second), vm);
    EXPECT_FALSE(all.take_due(start + 1s * second));
  }
  EXPECT_FALSE(all.take_due(start + 3s));
  EXPECT_EQ(all.wake_at(), time_point::max());
  EXPECT_EQ(all.size(), 0U);
  EXPECT_EQ(all.dropped(), 1U);
}

TEST(neighbours, the_answer_releases_what_waits_in_order) {
  neighbours all(16, 3);
  for (std::uint8_t i = 0; i < 5; ++i) all.wait_for(vm, {i}, start);
  EXPECT_EQ(all.take_due(start), vm);
  EXPECT_EQ(all.find(vm), nullptr);
  const std::vector<neighbours::packet> last_three{{2}, {3}, {4}};
  EXPECT_EQ(all.learn(vm, place), last_three);
  EXPECT_EQ(all.dropped(), 2U);
  ASSERT_NE(all.find(vm), nullptr);
  EXPECT_EQ(all.find(vm)->link, 3U);
  EXPECT_EQ(all.wake_at(), time_point::max());
  EXPECT_TRUE(all.learn(vm, {place.mac, 4}).empty());
  EXPECT_EQ(all.find(vm)->link, 4U);
}

TEST(neighbours, the_end_of_a_link_forgets_who_was_there) {
  neighbours all(200, 3);
  for (std::uint32_t i = 0; i < 100; ++i) all.learn({i}, {place.mac, i});
  for (std::uint32_t i = 0; i < 100; ++i) all.forget_link(i);
  EXPECT_EQ(all.size(), 0U);
}

TEST(neighbours, addresses_and_bytes_are_bounded) {
  neighbours all(16, 64);
  all.learn(vm, place);
  for (std::uint32_t i = 0; i < 1'000; ++i) all.wait_for({i}, neighbours::packet(65'000), start);
  EXPECT_LE(all.size(), 16U);
  EXPECT_EQ(all.located(), 1U);
  std::size_t kept = 0;
  for (std::uint32_t i = 0; i < 1'000; ++i) kept += all.learn({i}, place).size();
  EXPECT_LE(kept, 16U);
}

TEST(neighbours, an_address_that_was_given_up_is_asked_for_again_by_the_next_packet) {
  neighbours all(16, 8);
  all.wait_for(vm, {1}, start);
  for (int second = 0; second <= 3; ++second) static_cast<void>(all.take_due(start + 1s * second));
  EXPECT_EQ(all.size(), 0U);
  EXPECT_TRUE(all.wait_for(vm, {2}, start + 10s));
  EXPECT_EQ(all.wake_at(), start + 10s);
  EXPECT_EQ(all.take_due(start + 10s), vm);
  EXPECT_EQ(all.learn(vm, place), (std::vector<neighbours::packet>{{2}}));
  EXPECT_EQ(all.dropped(), 1U);
}

// More packets for an address do not make more questions.
TEST(neighbours, a_stream_of_packets_asks_once_a_second) {
  neighbours all(16, 4);
  std::size_t questions = 0;
  for (int i = 0; i < 2'900; ++i) {
    all.wait_for(vm, {1}, start + 1ms * i);
    while (all.take_due(start + 1ms * i)) ++questions;
  }
  EXPECT_EQ(questions, 3U);
  EXPECT_EQ(all.dropped(), 2'896U);
}

TEST(neighbours, a_located_address_stays_without_a_word_and_wakes_nothing) {
  neighbours all(16, 4);
  all.learn(vm, place);
  EXPECT_EQ(all.wake_at(), time_point::max());
  EXPECT_FALSE(all.take_due(start + 1'000h));
  all.ask(vm, start);
  EXPECT_EQ(all.wake_at(), time_point::max());
  ASSERT_NE(all.find(vm), nullptr);
}

TEST(neighbours, a_link_that_ends_takes_its_own_and_not_those_that_are_asked_for) {
  neighbours all(16, 4);
  all.learn({1}, {place.mac, 1});
  all.learn({2}, {place.mac, 2});
  all.wait_for({3}, {7}, start);
  all.forget_link(1);
  EXPECT_EQ(all.find({1}), nullptr);
  EXPECT_NE(all.find({2}), nullptr);
  EXPECT_EQ(all.size(), 2U);
  EXPECT_EQ(all.learn({3}, place).size(), 1U);
  all.forget_link(every_link);
  EXPECT_EQ(all.located(), 2U);
}

TEST(neighbours, questions_for_many_addresses_are_each_their_own) {
  neighbours all(100, 4);
  for (std::uint32_t i = 0; i < 100; ++i) all.ask({i}, start + 1ms * i);
  std::size_t questions = 0;
  auto now = start;
  while (all.wake_at() != time_point::max()) {
    now = std::max(now, all.wake_at());
    while (all.take_due(now)) ++questions;
    ASSERT_LT(now, start + 4s);
  }
  EXPECT_EQ(questions, 300U);
  EXPECT_EQ(all.size(), 0U);
  EXPECT_EQ(all.dropped(), 0U) << "nothing waited";
}

}  // namespace
}  // namespace netstack
