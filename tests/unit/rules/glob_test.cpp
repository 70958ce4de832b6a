#include "rules/glob.hpp"

#include <gmock/gmock.h>

namespace rules {
namespace {

glob parse(std::string_view pattern) { return glob::parse(pattern).value(); }

TEST(glob, matches_by_the_table) {
  struct row {
    const char *pattern, *text;
    bool matches;
  };
  for (const auto& [pattern, text, matches] : std::vector<row>{
           {"web", "web", true},
           {"web", "Web", false},
           {"web", "web-1", false},
           {"web-*", "web-1", true},
           {"web-*", "web-", true},
           {"web-*", "web", false},
           {"*", "anything/at:all", true},
           {"*", "", true},
           {"*-1", "web-1", true},
           {"*-1", "web-11", false},
           {"a*b", "ab", true},
           {"a*b", "a", false},
           {"aba*aba", "aba", false},
           {"aba*aba", "ababa", false},
           {"aba*aba", "abaaba", true},
           {"a*b*c", "a-b-b-c", true},
           {"a*b*c", "a-c-b", false},
           {"w?b", "web", true},
           {"w?b", "wb", false},
           {"w?b", "wüb", true},
           {"??", "ü", false},
           {"[a-c]x", "bx", true},
           {"[a-c]x", "dx", false},
           {"[!a-c]x", "dx", true},
           {"[^a-c]x", "ax", false},
           {"[!a]", "ü", true},
           {"[]x]", "]", true},
           {"[a-]", "-", true},
           {"[*]", "*", true},
           {"[*]", "a", false},
           {"a]", "a]", true},
           {"x[ab]*", "xa-1", true},
           {"docker.io/*:latest", "docker.io/library/nginx:latest", true},
       })
    EXPECT_EQ(parse(pattern).matches(text), matches) << pattern << " and " << text;
}

TEST(glob, knows_how_all_its_matches_begin_and_end) {
  EXPECT_EQ(parse("web-*-x").prefix(), "web-");
  EXPECT_EQ(parse("web-*-x").suffix(), "-x");
  EXPECT_EQ(parse("*").prefix(), "");
  EXPECT_EQ(parse("*").suffix(), "");
  EXPECT_EQ(parse("a[b*]c").suffix(), "c");
  EXPECT_EQ(parse("a?").prefix(), "a");
  EXPECT_TRUE(parse("web").is_literal());
  EXPECT_EQ(parse("web").prefix(), "web");
  EXPECT_FALSE(parse("[w]eb").is_literal());
}

TEST(glob, refuses_with_a_reason) {
  const auto reason = [](std::string_view pattern) { return glob::parse(pattern).error().message(); };
  EXPECT_EQ(reason(""), "is empty");
  EXPECT_EQ(reason("a[b"), "has a [ without its ]");
  EXPECT_EQ(reason("[]"), "has a [ without its ]");
  EXPECT_EQ(reason("[!]"), "has a [ without its ]");
  EXPECT_EQ(reason("[z-a]"), "has a set that runs backwards");
  EXPECT_EQ(reason("[ü]"), "has a set with other characters than ASCII");
  EXPECT_EQ(reason("a\\*"), "has a backslash");
  EXPECT_EQ(reason(std::string(257, 'a')), "is longer than 256 bytes");
}

TEST(glob, a_text_beyond_the_bound_matches_nothing) {
  EXPECT_TRUE(parse("*").matches(std::string(glob::longest_text, 'a')));
  EXPECT_FALSE(parse("*").matches(std::string(glob::longest_text + 1, 'a')));
}

TEST(glob, covers_only_what_it_certainly_matches) {
  struct row {
    const char *wide, *narrow;
    bool covers;
  };
  for (const auto& [wide, narrow, covers] : std::vector<row>{
           {"*", "a*b?[c]", true},
           {"web", "web", true},
           {"web-*", "web-1", true},
           {"web-*", "web-1*", true},
           {"web-*", "web*", false},
           {"*-1", "web-*-1", true},
           {"*-1", "*1", false},
           {"[ab]", "[ab]", true},
           {"[ab]", "a", true},
           {"[abc]", "[ab]", false},  // it does, but that is not known
           {"a*b", "a*bb", false},
           {"web", "web*", false},
           {"?", "*", false},
       })
    EXPECT_EQ(parse(wide).covers(parse(narrow)), covers) << wide << " and " << narrow;
}

}  // namespace
}  // namespace rules
