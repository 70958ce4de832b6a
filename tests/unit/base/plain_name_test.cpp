#include "base/plain_name.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(plain_name, has_letters_digits_and_three_signs) {
  EXPECT_TRUE(is_plain_name("aZ09-._", 7));
  for (const auto* text : {"a b", "a/b", "a:b", "a\n", "\xc3\xa4", "\""}) EXPECT_FALSE(is_plain_name(text, 10)) << text;
  EXPECT_FALSE(is_plain_name(std::string_view("a\0", 2), 10));
}

TEST(plain_name, has_a_length) {
  EXPECT_FALSE(is_plain_name("", 5));
  EXPECT_TRUE(is_plain_name("abcde", 5));
  EXPECT_FALSE(is_plain_name("abcdef", 5));
}

TEST(plain_name, may_have_other_signs_that_are_named) {
  EXPECT_TRUE(is_plain_name("a/b:c", 5, ":/"));
  EXPECT_FALSE(is_plain_name("a/b c", 5, ":/"));
}

}  // namespace
}  // namespace base
