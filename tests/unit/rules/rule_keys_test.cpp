#include "rules/rule_keys.hpp"

#include <gmock/gmock.h>

#include <set>

#include "tests/unit/rules/parsed.hpp"
#include "tests/unit/rules/random_rules.hpp"

namespace rules {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

std::set<std::uint64_t> keys_of(const subject& s, const key_shapes& shapes) {
  std::set<std::uint64_t> keys;
  shapes.visit_keys(s, [&](std::uint64_t key) { keys.insert(key); });
  return keys;
}

bool has_one(const std::vector<rule_key>& way, const subject& s) {
  key_shapes shapes;
  for (const auto& key : way) shapes.add(key);
  const auto keys = keys_of(s, shapes);
  return std::ranges::any_of(way, [&](const rule_key& key) { return keys.contains(key.number); });
}

TEST(rule_keys, a_subject_that_matches_has_a_key_by_each_way_to_file) {
  random_rules random(7);
  unsigned checked = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto c = random.make_conditions();
    auto s = random.make_subject();
    s.labels_complete = true;  // a missing label gives no key
    if (!c.matches(s)) continue;
    for (const auto& way : ways_to_file(c)) {
      ++checked;
      ASSERT_TRUE(has_one(way, s)) << to_yaml({c, {}});
    }
  }
  EXPECT_GT(checked, 1000U);
}

TEST(rule_keys, a_range_is_cut_into_few_blocks) {
  const auto blocks = [](const char* yaml) { return ways_to_file(parse_one(yaml).when).at(0); };
  EXPECT_THAT(blocks("{port: 80}"), SizeIs(1));
  EXPECT_THAT(blocks("{port: 4096-8191}"), SizeIs(1));
  EXPECT_THAT(blocks("{port: 1-65534}"), SizeIs(30));
  for (const auto port : std::vector<std::uint16_t>{2, 40000, 65533})
    EXPECT_TRUE(has_one(blocks("{port: 2-65533}"), {.port = port}));
  for (const auto port : std::vector<std::uint16_t>{1, 65534})
    EXPECT_FALSE(has_one(blocks("{port: 2-65533}"), {.port = port}));
}

TEST(rule_keys, conditions_that_name_nothing_give_no_way) {
  for (const auto* yaml :
       {"{}", "{port: 1-65535}", "{protocol: tcp}", "{name: '*'}", "{name: '*[w]e?'}", "{name: [web, '?']}"})
    EXPECT_THAT(ways_to_file(parse_one(yaml).when), IsEmpty()) << yaml;
}

TEST(rule_keys, a_subject_is_looked_for_by_the_keys_there_are) {
  const subject s{.source = "docker", .port = 80, .name = "web", .image = "nginx"};
  EXPECT_THAT(keys_of(s, key_shapes{}), IsEmpty());
  key_shapes shapes;
  shapes.add(ways_to_file(parse_one("{name: w*}").when).at(0).at(0));
  EXPECT_THAT(keys_of(s, shapes), SizeIs(1));
}

TEST(rule_keys, a_piece_of_a_pattern_stands_for_itself) {
  const auto way = ways_to_file(parse_one("{name: '[ab]*x-y?z[uvw]*'}").when).at(0);
  EXPECT_TRUE(has_one(way, {.name = "ax-yyzu"}));
  EXPECT_TRUE(has_one(way, {.name = "x-y"}));
  EXPECT_FALSE(has_one(way, {.name = "uvw"}));
  EXPECT_FALSE(has_one(way, {.name = "x-z"}));
}

TEST(rule_keys, a_long_part_counts_by_its_first_bytes) {
  const std::string long_name(100, 'a');
  const auto c = parse_one("{name: '" + long_name + "*'}").when;
  EXPECT_TRUE(has_one(ways_to_file(c).at(0), {.name = long_name}));
  const auto end = parse_one("{name: '*" + long_name + "'}").when;
  EXPECT_TRUE(has_one(ways_to_file(end).at(0), {.name = long_name}));
}

}  // namespace
}  // namespace rules
