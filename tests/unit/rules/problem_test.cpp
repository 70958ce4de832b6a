#include "rules/problem.hpp"

#include <gmock/gmock.h>

namespace rules {
namespace {

TEST(problem, reads_as_a_sentence) {
  EXPECT_EQ(to_string({{3, 5}, "unknown key \"prot\"", "did you mean port?"}),
            "line 3, column 5: unknown key \"prot\": did you mean port?");
  EXPECT_EQ(to_string({{1, 1}, "is wrong", ""}), "line 1, column 1: is wrong");
}

TEST(problem_list, counts_characters_where_the_parser_counts_bytes) {
  problem_list problems("first\nüü: x\n");
  problems.add({2, 7}, "at x");
  EXPECT_THAT(std::move(problems).take(), testing::ElementsAre(problem{{2, 5}, "at x", ""}));
}

TEST(problem_list, is_in_the_order_of_the_text) {
  problem_list problems("a\nb\nc\n");
  problems.add({3, 1}, "third");
  problems.add({1, 1}, "first");
  problems.add({3, 1}, "fourth");
  problems.add({2, 1}, "second");
  std::vector<std::string> texts;
  for (const auto& p : std::move(problems).take()) texts.push_back(p.text);
  EXPECT_THAT(texts, testing::ElementsAre("first", "second", "third", "fourth"));
}

TEST(problem_list, keeps_the_first_ones_that_are_found) {
  problem_list problems("");
  for (unsigned i = 0; i < problem_list::most; ++i) {
    EXPECT_FALSE(problems.is_full());
    problems.add({}, "found");
  }
  EXPECT_TRUE(problems.is_full());
  problems.add({}, "too many");
  EXPECT_THAT(std::move(problems).take(),
              testing::AllOf(testing::SizeIs(problem_list::most), testing::Each(problem{{1, 1}, "found", ""})));
}

}  // namespace
}  // namespace rules
