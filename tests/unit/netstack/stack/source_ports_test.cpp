#include "netstack/stack/source_ports.hpp"

#include <gtest/gtest.h>

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

TEST(source_ports, other_secrets_begin_elsewhere) {
  std::set<std::uint16_t> first;
  for (std::uint8_t secret = 0; secret < 8; ++secret) {
    const keyed_hash hash({secret});
    first.insert(*source_ports(hash).choose(gateway, web, flow_table(hash), start));
  }
  EXPECT_GE(first.size(), 6U);
}

}  // namespace
}  // namespace netstack
