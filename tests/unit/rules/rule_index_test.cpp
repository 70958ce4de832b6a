#include "rules/rule_index.hpp"

#include <gmock/gmock.h>

#include "tests/unit/rules/parsed.hpp"

namespace rules {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<rule> rules_of(const std::vector<std::string>& flows) {
  std::vector<rule> all;
  for (const auto& flow : flows) all.push_back(parse_one(flow));
  return all;
}

std::vector<std::uint32_t> found(const rule_index& index, const subject& s) {
  std::vector<std::uint32_t> numbers;
  index.visit_lists(s, [&](rule_index::list list) { numbers.insert(numbers.end(), list.begin(), list.end()); });
  return numbers;
}

TEST(rule_index, files_a_rule_by_what_the_fewest_have) {
  const rule_index index(rules_of({"{port: 80, name: web}", "{port: 80, name: db}", "{port: 81, name: db}"}));
  EXPECT_THAT(found(index, {.port = 80, .name = "web"}), testing::UnorderedElementsAre(0, 1));
  EXPECT_THAT(found(index, {.port = 80, .name = "other"}), ElementsAre(1));  // db is no rarer than 80
  EXPECT_THAT(found(index, {.port = 81, .name = "other"}), ElementsAre(2));
}

TEST(rule_index, a_rule_without_keys_is_loose) {
  const rule_index index(rules_of({"{name: '[w]*'}", "{port: 80}", "{protocol: udp}"}));
  EXPECT_THAT(index.loose(), ElementsAre(0, 2));
  EXPECT_THAT(found(index, {.port = 80, .name = "web"}), ElementsAre(1));
  EXPECT_THAT(found(index, {.port = 81, .name = "web"}), IsEmpty());
}

TEST(rule_index, a_key_that_most_rules_have_is_no_key_unless_it_is_a_port) {
  std::vector<std::string> by_source, by_port;
  for (int i = 0; i < 100; ++i) {
    by_source.push_back("{source: docker, name: '[w]*'}");
    by_port.push_back("{port: 80, name: '[w]*'}");
  }
  EXPECT_THAT(rule_index(rules_of(by_source)).loose(), SizeIs(100));
  EXPECT_THAT(rule_index(rules_of(by_port)).loose(), IsEmpty());
}

TEST(rule_index, lists_a_rule_once_under_a_key) {
  const rule_index index(rules_of({"{name: [web, web]}"}));
  EXPECT_THAT(found(index, {.name = "web"}), ElementsAre(0));
}

}  // namespace
}  // namespace rules
