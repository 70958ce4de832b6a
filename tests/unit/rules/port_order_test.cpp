#include "rules/port_order.hpp"

#include <gmock/gmock.h>

#include "tests/unit/rules/parsed.hpp"
#include "tests/unit/rules/random_rules.hpp"

namespace rules {
namespace {

using testing::Optional;

std::optional<std::size_t> first_of(std::string_view text, const subject& s) {
  return parse(text).rules->find_first_for_port(s);
}

TEST(port_order, an_empty_set_has_none) { EXPECT_EQ(port_order({}).find_first({.port = 80}), std::nullopt); }

TEST(port_order, the_owner_does_not_count) {
  EXPECT_THAT(first_of("rules: [{port: 81}, {name: web}, {port: 80}]", {.port = 80, .name = "db"}), Optional(1));
}

TEST(port_order, of_overlapping_ranges_the_first_has_the_port) {
  constexpr auto text = "rules: [{port: 100-200}, {port: 300}, {port: 150-400}, {port: 90-350}, {port: 1-65535}]";
  for (const auto& [port, number] : std::vector<std::pair<std::uint16_t, std::size_t>>{{1, 4},
                                                                                       {89, 4},
                                                                                       {90, 3},
                                                                                       {99, 3},
                                                                                       {100, 0},
                                                                                       {200, 0},
                                                                                       {201, 2},
                                                                                       {299, 2},
                                                                                       {300, 1},
                                                                                       {301, 2},
                                                                                       {400, 2},
                                                                                       {401, 4},
                                                                                       {65535, 4}})
    EXPECT_THAT(first_of(text, {.port = port}), Optional(number)) << port;
}

TEST(port_order, protocol_and_address_have_to_match) {
  constexpr auto text = "rules: [{protocol: udp, address: loopback}, {address: [wildcard, 10.0.0.1]}, {protocol: udp}]";
  const subject local{.protocol = net::protocol::udp, .address = ip("127.0.0.9"), .port = 80};
  EXPECT_THAT(first_of(text, local), Optional(0));
  EXPECT_EQ(first_of(text, {.address = local.address, .port = 80}), std::nullopt);
  EXPECT_THAT(first_of(text, {.address = ip("::"), .port = 80}), Optional(1));
  EXPECT_THAT(first_of(text, {.address = ip("10.0.0.1"), .port = 80}), Optional(1));
  EXPECT_THAT(first_of(text, {.protocol = net::protocol::udp, .address = ip("10.0.0.2"), .port = 80}), Optional(2));
}

// As one look at each rule would find it.
TEST(port_order, finds_what_a_walk_over_all_rules_finds) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    random_rules random(seed);
    std::vector<rule> all(1 + random.below(100));
    for (auto& r : all) r = random.make_rule();
    const port_order order(all);
    for (int i = 0; i < 100; ++i) {
      const auto s = random.make_subject();
      const auto walked = std::ranges::find_if(all, [&](const rule& r) { return r.when.matches_port(s); });
      const auto number = walked == all.end() ? std::nullopt : std::optional<std::size_t>(walked - all.begin());
      ASSERT_EQ(order.find_first(s), number) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace rules
