#include "rules/text_check.hpp"

#include <gmock/gmock.h>

namespace rules {
namespace {

constexpr auto none = std::string_view::npos;

TEST(text_check, finds_the_first_byte_that_is_not_text) {
  EXPECT_EQ(find_bad_character("plain ASCII ~"), none);
  EXPECT_EQ(find_bad_character("ü – 𝄞 \U0010ffff"), none);
  EXPECT_EQ(find_bad_character("ab\xff"), 2);
  EXPECT_EQ(find_bad_character("ab\x80"), 2);
  EXPECT_EQ(find_bad_character("a\xc3"), 1);             // cut
  EXPECT_EQ(find_bad_character("a\xc0\xaf"), 1);         // longer than it has to be
  EXPECT_EQ(find_bad_character("\xe0\x80\xaf"), 0);      // the same
  EXPECT_EQ(find_bad_character("\xed\xa0\x80"), 0);      // half of a UTF-16 pair
  EXPECT_EQ(find_bad_character("\xf4\x90\x80\x80"), 0);  // beyond the last one
}

TEST(text_check, control_characters_are_bad_unless_allowed) {
  EXPECT_EQ(find_bad_character("a\nb"), 1);
  EXPECT_EQ(find_bad_character("a\nb", "\n"), none);
  EXPECT_EQ(find_bad_character("a\tb\n", "\n"), 1);
  EXPECT_EQ(find_bad_character(std::string_view("a\0b", 3)), 1);
  EXPECT_EQ(find_bad_character("a\x7f"), 1);
  EXPECT_EQ(find_bad_character("a\xc2\x9b"), 1);  // begins an escape sequence on some terminals
}

TEST(text_check, counts_characters) {
  EXPECT_EQ(count_characters(""), 0);
  EXPECT_EQ(count_characters("aü–𝄞"), 4);
}

}  // namespace
}  // namespace rules
