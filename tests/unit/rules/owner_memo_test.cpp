#include "rules/owner_memo.hpp"

#include <gmock/gmock.h>

#include "tests/unit/rules/parsed.hpp"

namespace rules {
namespace {

using testing::ElementsAre;

class owner_memo_test : public testing::Test {
 protected:
  auto matching(const subject& s) { return memo_.matching(rules_, loose_, s); }

  std::vector<rule> rules_{parse_one("{name: '*a*'}"), parse_one("{port: 80}"), parse_one("{name: '*b*', port: 80}")};
  std::vector<std::uint32_t> loose_{0, 2};
  owner_memo memo_;
};

TEST_F(owner_memo_test, keeps_the_rules_for_an_owner_whatever_the_port) {
  EXPECT_THAT(matching({.port = 81, .name = "ab"}), ElementsAre(0, 2));
  EXPECT_THAT(matching({.port = 80, .name = "b"}), ElementsAre(2));
  EXPECT_EQ(memo_.examined(), 4);
  EXPECT_THAT(matching({.port = 80, .name = "ab"}), ElementsAre(0, 2));
  EXPECT_EQ(memo_.examined(), 4);
}

TEST_F(owner_memo_test, all_that_a_condition_looks_at_makes_another_owner) {
  const label one[] = {{"a", "bc"}}, other[] = {{"ab", "c"}};
  for (const auto& s :
       {subject{.name = "a"}, subject{.source = "a"}, subject{.name_space = "a"}, subject{.image = "a"},
        subject{.labels = one}, subject{.labels = other}, subject{.name = "a", .labels_complete = false}})
    (void)matching(s);
  EXPECT_EQ(memo_.examined(), 14);
}

TEST_F(owner_memo_test, begins_anew_when_it_is_full) {
  for (std::size_t i = 0; i < owner_memo::most; ++i) (void)matching({.name = std::to_string(i)});
  const auto before = memo_.examined();
  EXPECT_THAT(matching({.name = "a"}), ElementsAre(0));
  EXPECT_THAT(matching({.name = "0"}), testing::IsEmpty());
  EXPECT_EQ(memo_.examined(), before + 4);
}

}  // namespace
}  // namespace rules
