#include "rules/rule_set.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/unit/rules/parsed.hpp"
#include "tests/unit/rules/random_rules.hpp"

namespace rules {
namespace {

using testing::Optional;

std::optional<std::size_t> first_of(std::string_view text, const subject& s) {
  return parse(text).rules->find_first(s).number;
}

TEST(rule_set, an_empty_one_matches_nothing) { EXPECT_EQ(rule_set().find_first({.port = 80}).number, std::nullopt); }

TEST(rule_set, the_first_rule_that_matches_wins) {
  constexpr auto text = R"(rules:
  - {port: 80, name: web}
  - {port: 80}
  - {port: 80, name: db, ignore: true}
)";
  EXPECT_THAT(first_of(text, {.port = 80, .name = "web"}), Optional(0));
  EXPECT_THAT(first_of(text, {.port = 80, .name = "db"}), Optional(1));
  EXPECT_EQ(first_of(text, {.port = 81}), std::nullopt);
}

TEST(rule_set, of_overlapping_ranges_the_first_wins) {
  constexpr auto text = "rules: [{port: 100-200}, {port: 150-300}, {port: 1-65535}, {port: 250, ignore: true}]";
  for (const auto& [port, number] : std::vector<std::pair<std::uint16_t, std::size_t>>{
           {1, 2}, {99, 2}, {100, 0}, {150, 0}, {200, 0}, {201, 1}, {250, 1}, {300, 1}, {301, 2}, {65535, 2}})
    EXPECT_THAT(first_of(text, {.port = port}), Optional(number)) << port;
}

TEST(rule_set, describes_its_rules_for_people) {
  const auto set = parse("rules:\n  - port: 80\n    note: the web\n  - port: 81\n").rules;
  EXPECT_EQ(set->description(0).str(), "rule 1 (line 2): the web");
  EXPECT_EQ(set->description(1).str(), "rule 2 (line 4)");
  EXPECT_EQ(set->line(1), 4U);
  EXPECT_EQ(rule_set({{rule{}, 0}}).description(0).str(), "rule 1");
}

// The index finds what one look at each rule would find.
TEST(rule_set, finds_what_a_walk_over_all_rules_finds) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    random_rules random(seed);
    std::vector<placed_rule> placed(1 + random.below(100));
    for (auto& p : placed) p.rule = random.make_rule();
    const rule_set set(placed);
    owner_memo memo;
    for (int i = 0; i < 100; ++i) {
      const auto s = random.make_subject();
      const auto walked = std::ranges::find_if(placed, [&](const auto& p) { return p.rule.when.matches(s); });
      const auto number = walked == placed.end() ? std::nullopt : std::optional<std::size_t>(walked - placed.begin());
      ASSERT_EQ(set.find_first(s).number, number) << "seed " << seed;
      ASSERT_EQ(set.find_first(s, &memo).number, number) << "seed " << seed << ", with a memo";
    }
  }
}

TEST(rule_set, finds_a_rule_that_covers_another_where_a_walk_does) {
  unsigned covered = 0;
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    random_rules random(seed);
    std::vector<placed_rule> placed(60);
    for (auto& p : placed) p.rule = random.make_rule();
    const rule_set set(placed);
    std::size_t work = 1'000'000;
    for (std::size_t number = 0; number < placed.size(); ++number) {
      const auto end = placed.begin() + static_cast<std::ptrdiff_t>(number);
      const auto walked = std::find_if(placed.begin(), end,
                                       [&](const auto& p) { return p.rule.when.covers(placed[number].rule.when); });
      const auto expected = walked == end ? std::nullopt : std::optional<std::size_t>(walked - placed.begin());
      covered += expected ? 1 : 0;
      ASSERT_EQ(set.find_covering(number, work), expected) << "seed " << seed << ", rule " << number;
    }
  }
  EXPECT_GT(covered, 1000U);
}

TEST(rule_set, the_search_for_a_covering_rule_ends_with_its_work) {
  const auto set = parse("rules: [{port: 80}, {port: 80}]").rules;
  std::size_t work = 0;
  EXPECT_EQ(set->find_covering(1, work), std::nullopt);
  work = 1;
  EXPECT_THAT(set->find_covering(1, work), Optional(0));
  EXPECT_EQ(work, 0);
}

// Two rules with lists of 200 names take 40,000 comparisons, and with long patterns as many steps as both are long.
TEST(rule_set, the_search_for_a_covering_rule_counts_long_lists_and_patterns) {
  std::string names;
  for (int i = 0; i < 200; ++i) names += (i == 0 ? "" : ", ") + ("n" + std::to_string(i));
  const auto lists = parse("rules: [{name: [" + names + "]}, {name: [" + names + "]}]").rules;
  std::size_t work = 39'999;
  EXPECT_EQ(lists->find_covering(1, work), std::nullopt);
  EXPECT_EQ(work, 0);
  work = 50'000;
  EXPECT_THAT(lists->find_covering(1, work), Optional(0));
  EXPECT_LT(work, 10'001);

  const std::string text(200, 'a');
  const auto pattern = parse("rules: [{name: \"*a*" + text + "*\"}, {name: " + text + text.substr(150) + "}]").rules;
  work = 500;
  EXPECT_EQ(pattern->find_covering(1, work), std::nullopt);
  work = 1'000;
  EXPECT_THAT(pattern->find_covering(1, work), Optional(0));
}

// How many of many rules are examined for a subject says what a decision costs.
std::shared_ptr<const rule_set> many_rules(const std::function<std::string(int)>& rule_at, int count = 10'000) {
  std::string text = "rules:\n";
  for (int i = 0; i < count; ++i) text += "  - " + rule_at(i) + "\n";
  return parse(text).rules;
}

TEST(rule_set, examines_few_of_many_rules) {
  struct row {
    std::function<std::string(int)> rule_at;
    subject s;
    std::size_t most;
  };
  static const label tier[] = {{"tier", "t5000"}};
  for (const auto& [rule_at, s, most] : std::vector<row>{
           {[](int i) { return fmt::format("{{port: {}, protocol: udp}}", i + 1); }, {.port = 5000}, 1},
           {[](int i) { return fmt::format("{{port: {}-{}, protocol: udp}}", i + 1, i + 10); }, {.port = 5000}, 10},
           {[](int i) { return fmt::format("{{port: 80, name: web-{}}}", i); }, {.port = 80, .name = "web-5000"}, 1},
           {[](int i) { return fmt::format("{{name: web-{}-*}}", i); }, {.port = 80, .name = "web-5000-x"}, 1},
           {[](int i) { return fmt::format("{{name: '*-{}'}}", i); }, {.port = 80, .name = "web-5000"}, 1},
           {[](int i) { return fmt::format("{{name: 'web-*-{}'}}", i); }, {.port = 80, .name = "web-x-5000"}, 1},
           {[](int i) { return fmt::format("{{name: '*x{}x*'}}", i); }, {.port = 80, .name = "web-x5000x-1"}, 1},
           {[](int i) { return fmt::format("{{source: docker, image: 'x/{}:*'}}", i); },
            {.source = "docker", .image = "x/5000:1"},
            1},
           {[](int i) { return fmt::format("{{label: [tier=t{}, app]}}", i); }, {.labels = tier}, 1},
           {[](int i) { return fmt::format("{{address: 10.0.{}.{}}}", i / 250, i % 250); },
            {.address = ip("10.0.9.9")},
            1},
       }) {
    EXPECT_LE(many_rules(rule_at)->find_first(s).examined, most) << rule_at(5000);
  }
}

// The limit that docs/rules.md states.
TEST(rule_set, examines_all_rules_that_have_no_literal_part_once_for_each_owner) {
  const auto rule_at = [](int i) {
    const auto d = fmt::format("{:03}", i);
    return fmt::format("{{name: '*[{}][{}][{}]*'}}", d[0], d[1], d[2]);
  };
  const auto set = many_rules(rule_at, most_loose);
  const subject web{.port = 80, .name = "web-250-1"}, same_owner{.port = 81, .name = "web-250-1"};
  EXPECT_EQ(set->find_first(web).examined, 251U);
  owner_memo memo;
  EXPECT_THAT(set->find_first(web, &memo).number, Optional(250));
  EXPECT_EQ(memo.examined(), most_loose);
  EXPECT_THAT(set->find_first(same_owner, &memo).number, Optional(250));
  EXPECT_EQ(memo.examined(), most_loose);
}

}  // namespace
}  // namespace rules
