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
  const auto first = *ports.choose(gateway, web, in_use, start);
  const auto behind = [&](std::uint32_t i) {
    return static_cast<std::uint16_t>(source_ports::first_port +
                                      (first - source_ports::first_port + i) % source_ports::count);
  };
  in_use.add(flow(behind(1)), 0);
  ports.release(flow(behind(2)), start);
  EXPECT_EQ(ports.choose(gateway, web, in_use, start), behind(3));
  EXPECT_EQ(ports.choose(gateway, web, in_use, start), behind(4)) << "what was passed over is not tried again";
}

TEST(source_ports, the_port_that_has_rested_longest_is_used_if_all_rest) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  const flow_table in_use(hash);
  const auto first = *ports.choose(gateway, web, in_use, start);
  for (std::uint32_t i = 0; i < source_ports::count; ++i) {
    const auto port = static_cast<std::uint16_t>(source_ports::first_port + i);
    ports.release(flow(port), start + (port == first + 3 ? 0s : 10s));
  }
  EXPECT_EQ(ports.choose(gateway, web, in_use, start + 20s), first + 3);
}

TEST(source_ports, no_port_is_chosen_if_all_are_in_use) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  flow_table in_use(hash);
  for (std::uint32_t i = 0; i < source_ports::count; ++i)
    in_use.add(flow(static_cast<std::uint16_t>(source_ports::first_port + i)), i);
  EXPECT_FALSE(ports.choose(gateway, web, in_use, start));
}

TEST(source_ports, a_port_that_was_used_again_while_it_rested_rests_from_its_last_use_on) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  const flow_table in_use(hash);
  const auto second = *ports.choose(gateway, web, in_use, start) + 1;
  ports.release(flow(static_cast<std::uint16_t>(second)), start);
  ports.release(flow(static_cast<std::uint16_t>(second)), start + 50s);
  EXPECT_NE(ports.choose(gateway, web, in_use, start + 109s), second);
}

TEST(source_ports, a_choice_is_fast_when_every_port_rests) {
  const keyed_hash hash({4});
  source_ports ports(hash);
  const flow_table in_use(hash);
  for (std::uint32_t i = 0; i < source_ports::count; ++i)
    ports.release(flow(static_cast<std::uint16_t>(source_ports::first_port + i)), start);
  std::set<std::uint16_t> seen;
  const auto began = std::clock();  // of the processor: others may use it, too
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    const auto port = ports.choose(gateway, web, in_use, start + 1s);
    ASSERT_TRUE(port && seen.insert(*port).second) << "the next one, as all have rested equally long";
    ports.release(flow(*port), start + 1s);
  }
  EXPECT_LT(std::clock() - began, 5 * CLOCKS_PER_SEC);
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
  const endpoint other_port{web.address, 81};
  constexpr ipv4::address other{0xc0a87f64};
  const auto toward_other = *ports.choose(gateway, other_port, in_use, start) + 1;
  const auto from_other = *ports.choose(other, web, in_use, start) + 1;
  ports.release(flow(static_cast<std::uint16_t>(toward_other)), start);
  ports.release(flow(static_cast<std::uint16_t>(from_other)), start);
  EXPECT_EQ(ports.choose(gateway, other_port, in_use, start + 1s), toward_other);
  EXPECT_EQ(ports.choose(other, web, in_use, start + 1s), from_other);
}

TEST(source_ports, a_rest_ends_after_a_minute_to_the_second) {
  for (const auto [waited, rests] : {std::pair{60s, true}, {61s, false}, {65'500s, false}, {65'535s, true}}) {
    const keyed_hash hash({4});
    source_ports ports(hash);
    const flow_table in_use(hash);
    const auto second = *ports.choose(gateway, web, in_use, start) + 1;
    ports.release(flow(static_cast<std::uint16_t>(second)), start);
    EXPECT_EQ(ports.choose(gateway, web, in_use, start + waited) != second, rests) << waited.count();
  }
}

// Three minutes of 500 connections a second.
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
  }
}

}  // namespace
}  // namespace netstack
