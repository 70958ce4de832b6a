#include "netstack/stack/source_ports.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <set>

namespace netstack {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};
constexpr ipv4::address gateway{0xc0a87f01};
constexpr endpoint web{{0xc0a87f02}, 80};

flow_key flow(std::uint16_t port) { return {.vm = web, .peer = {gateway, port}}; }

TEST(source_ports, a_port_returns_after_all_others) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  const flow_table in_use(hash);
  std::set<std::uint16_t> seen;
  for (std::uint32_t i = 0; i < source_ports::count; ++i) {
    const auto port = ports.choose(gateway, web, in_use, start);
    ASSERT_TRUE(port);
    EXPECT_GE(*port, source_ports::first_port);
    ASSERT_TRUE(seen.insert(*port).second);
    ports.release(flow(*port), start);
  }
}

TEST(source_ports, ports_in_use_and_at_rest_are_skipped) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  flow_table in_use(hash);
  std::set<std::uint16_t> taken;
  for (std::uint32_t i = 0; i < source_ports::count; ++i) {
    const auto port = ports.choose(gateway, web, in_use, start);
    taken.insert(*port);
    if (taken.size() > 2) in_use.add(flow(*port), i);
    if (taken.size() <= 2) ports.release(flow(*port), start + (taken.size() == 1 ? 0s : 10s));
  }
  const auto longest_at_rest = *ports.choose(gateway, web, in_use, start + 20s);  // nothing else is free
  EXPECT_FALSE(in_use.find(flow(longest_at_rest)));
  in_use.add(flow(longest_at_rest), 0);
  const auto other = *ports.choose(gateway, web, in_use, start + 20s);
  EXPECT_NE(other, longest_at_rest);
  in_use.add(flow(other), 0);
  EXPECT_FALSE(ports.choose(gateway, web, in_use, start + 20s));
}

TEST(source_ports, what_rests_is_bounded_and_ends_after_a_minute) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  for (std::uint32_t i = 0; i < 200'000; ++i)
    ports.release({.vm = {{i}, 80}, .peer = {gateway, 20'000}}, start + std::chrono::microseconds(i));
  EXPECT_EQ(ports.resting(), source_ports::most_resting);
  ports.release(flow(1), start + 61s);
  EXPECT_EQ(ports.resting(), 1U);
}

TEST(source_ports, a_port_that_was_used_again_while_it_rested_rests_from_its_last_use_on) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  ports.release(flow(1), start);
  ports.release(flow(1), start + 50s);
  ports.release(flow(2), start + 70s);
  EXPECT_EQ(ports.resting(), 2U);
  ports.release(flow(3), start + 111s);
  EXPECT_EQ(ports.resting(), 2U);
}

TEST(source_ports, a_choice_is_fast_when_every_port_rests) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  const flow_table in_use(hash);
  for (std::uint32_t i = 0; i < source_ports::count; ++i)
    ports.release(flow(static_cast<std::uint16_t>(source_ports::first_port + i)), start + std::chrono::microseconds(i));
  const auto began = std::clock();  // of the processor: others may use it, too
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    const auto port = ports.choose(gateway, web, in_use, start + 1s);
    ASSERT_EQ(port, source_ports::first_port + i);  // the one that has rested longest
    ports.release(flow(*port), start + 1s);
  }
  EXPECT_LT(std::clock() - began, 5 * CLOCKS_PER_SEC);
  EXPECT_EQ(ports.resting(), source_ports::count);
}

TEST(source_ports, a_choice_passes_over_many_ports_in_use) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  flow_table in_use(hash);
  const auto first = *ports.choose(gateway, web, in_use, start);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const auto place = (first - source_ports::first_port + i) % source_ports::count;
    in_use.add(flow(static_cast<std::uint16_t>(source_ports::first_port + place)), i);
  }
  const auto port = ports.choose(gateway, web, in_use, start);
  ASSERT_TRUE(port);
  EXPECT_FALSE(in_use.find(flow(*port)));
}

TEST(source_ports, other_secrets_begin_elsewhere) {
  std::set<std::uint16_t> first;
  for (std::uint8_t secret = 0; secret < 8; ++secret) {
    const keyed_hash hash({secret});
    first.insert(*source_ports(hash).choose(gateway, web, flow_table(hash), start));
  }
  EXPECT_GE(first.size(), 6U);
}

// Each destination and each source has ports of its own: one that rests toward a server is free toward another.
TEST(source_ports, rests_are_of_a_destination_and_a_source) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  const flow_table in_use(hash);
  for (std::uint32_t i = 0; i < source_ports::count; ++i)
    ports.release(flow(static_cast<std::uint16_t>(source_ports::first_port + i)), start);
  const endpoint other_port{web.address, 81};
  const auto first = ports.choose(gateway, other_port, in_use, start + 1s);
  const auto second = ports.choose({0xc0a87f64}, web, in_use, start + 1s);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(ports.resting(), source_ports::count);
}

TEST(source_ports, a_rest_ends_after_a_minute_to_the_second) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  ports.release(flow(20'000), start);
  ports.release(flow(20'001), start + 30s);
  const flow_table in_use(hash);
  static_cast<void>(ports.choose(gateway, web, in_use, start + 60s - 1ns));
  EXPECT_EQ(ports.resting(), 2U);
  static_cast<void>(ports.choose(gateway, web, in_use, start + 60s));
  EXPECT_EQ(ports.resting(), 1U);
  static_cast<void>(ports.choose(gateway, web, in_use, start + 90s));
  EXPECT_EQ(ports.resting(), 0U);
}

// Three minutes of 500 connections a second: what rests is a minute's worth, and no port comes within its rest.
TEST(source_ports, many_short_connections_use_no_port_within_its_rest) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  const flow_table in_use(hash);
  std::vector<time_point> last(65'536, time_point::min());
  auto now = start;
  for (int i = 0; i < 500 * 180; ++i, now += 2ms) {
    const auto port = *ports.choose(gateway, web, in_use, now);
    if (last[port] != time_point::min()) ASSERT_GE(now - last[port], 60s) << port;
    last[port] = now;
    ports.release(flow(port), now);
    ASSERT_LE(ports.resting(), 30'001U);
  }
}

}  // namespace
}  // namespace netstack
