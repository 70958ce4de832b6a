#include "base/text.hpp"

#include <gmock/gmock.h>

namespace base {
namespace {

using testing::ElementsAre;

TEST(text, parses_only_whole_numbers) {
  EXPECT_EQ(parse_number<int>("42"), 42);
  EXPECT_EQ(parse_number<int>("-1"), -1);
  for (const auto* bad : {"", " 1", "1 ", "+1", "0x1", "99999999999999999999"})
    EXPECT_FALSE(parse_number<int>(bad)) << bad;
}

TEST(text, ports_are_one_to65535) {
  EXPECT_EQ(parse_port("1"), 1);
  EXPECT_EQ(parse_port("65535"), 65535);
  for (const auto* bad : {"0", "65536", "-1", "80; rm", ""}) EXPECT_FALSE(parse_port(bad)) << bad;
}

TEST(text, splits) {
  EXPECT_THAT(split("a,b,", ','), ElementsAre("a", "b", ""));
  EXPECT_THAT(split("", ','), ElementsAre(""));
}

TEST(text, trims_ascii_white_space) {
  EXPECT_EQ(trim(" \ta b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(text, printable_escapes_and_cuts) {
  EXPECT_EQ(printable("a\nb\x1b"), "a\\x0ab\\x1b");
  EXPECT_EQ(printable("abcdef", 3), "abc…");
}

}  // namespace
}  // namespace base
