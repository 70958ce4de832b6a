#include "programs/guestagentctl/text_table.hpp"

#include <gtest/gtest.h>

namespace guestagentctl {
namespace {

TEST(text_table, aligns_columns_and_trims_the_end) {
  text_table t({"A", "LONG", "C"});
  t.add({"xxx", "y", ""});
  EXPECT_EQ(t.render(), "A    LONG  C\nxxx  y\n");
}

TEST(text_table, shows_outside_text_harmlessly) {
  text_table t({"A"});
  t.add({"\x1b[31mred\n"});
  EXPECT_EQ(t.render(), "A\n\\x1b[31mred\\x0a\n");
}

}  // namespace
}  // namespace guestagentctl
