#include "base/text.hpp"

#include <gmock/gmock.h>

namespace base {
namespace {

using testing::ElementsAre;

TEST(Text, ParsesOnlyWholeNumbers) {
  EXPECT_EQ(parse_number<int>("42"), 42);
  EXPECT_EQ(parse_number<int>("-1"), -1);
  for (const auto* bad : {"", " 1", "1 ", "+1", "0x1", "99999999999999999999"})
    EXPECT_FALSE(parse_number<int>(bad)) << bad;
}

TEST(Text, PortsAreOneTo65535) {
  EXPECT_EQ(parse_port("1"), 1);
  EXPECT_EQ(parse_port("65535"), 65535);
  for (const auto* bad : {"0", "65536", "-1", "80; rm", ""}) EXPECT_FALSE(parse_port(bad)) << bad;
}

TEST(Text, Splits) {
  EXPECT_THAT(split("a,b,", ','), ElementsAre("a", "b", ""));
  EXPECT_THAT(split("", ','), ElementsAre(""));
}

TEST(Text, TrimsAsciiWhiteSpace) {
  EXPECT_EQ(trim(" \ta b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(Text, PrintableEscapesAndCuts) {
  EXPECT_EQ(printable("a\nb\x1b"), "a\\x0ab\\x1b");
  EXPECT_EQ(printable("abcdef", 3), "abc…");
}

}  // namespace
}  // namespace base
