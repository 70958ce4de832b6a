#include "programs/guestagentctl/rules_listing.hpp"

#include <gmock/gmock.h>

namespace guestagentctl {
namespace {

using testing::HasSubstr;

TEST(rules_listing, rules_with_their_counts_and_the_built_in_ones_last) {
  const auto text = list_rules({.file = "/etc/rules.yaml",
                                .trouble = "line 2: no",
                                .warnings = {"line 4: never"},
                                .rules = {{"{port: 80, ignore: true}", 2, 3}, {"{port: 81}", 14, 0}},
                                .built_in = {{"{port: 53, ignore: true}", 0, {}}}});
  EXPECT_EQ(text,
            "rules of /etc/rules.yaml: 2\n"
            "the file is refused, these rules are older: line 2: no\n"
            "warning: line 4: never\n"
            "\n"
            "RULE  FROM      PORTS  TEXT\n"
            "1     line 2    3      {port: 80, ignore: true}\n"
            "2     line 14   0      {port: 81}\n"
            "-     built in  -      {port: 53, ignore: true}\n");
}

TEST(rules_listing, a_good_file) {
  const auto checked = check_rules("a.yaml", "rules:\n- {source: kubernetes, port: 80, peers: [wsl-proxy]}\n");
  EXPECT_TRUE(checked.good);
  EXPECT_EQ(checked.text, "a.yaml: 1 rules\n");
}

TEST(rules_listing, a_rule_that_never_matches_is_a_warning) {
  const auto checked = check_rules("a.yaml", "rules:\n- ignore: true\n- port: 80\n");
  EXPECT_TRUE(checked.good);
  EXPECT_THAT(checked.text, HasSubstr("a.yaml:3:"));
  EXPECT_THAT(checked.text, HasSubstr("warning: "));
}

TEST(rules_listing, each_error_is_a_line_with_its_place) {
  const auto checked = check_rules("a.yaml", "rules:\n- prot: 80\n- port: 70000\n");
  EXPECT_FALSE(checked.good);
  EXPECT_THAT(checked.text, HasSubstr("a.yaml:2:"));
  EXPECT_THAT(checked.text, HasSubstr("a.yaml:3:"));
}

TEST(rules_listing, nothing_of_it_reaches_a_terminal_as_a_command) {
  EXPECT_THAT(check_rules("\x1b[2J", "rules:\n- \x1b[2J: 80\n").text, testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(list_rules({.rules = {{"\x1b[2J", 1, 0}}}), testing::Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace guestagentctl
