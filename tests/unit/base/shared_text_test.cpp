#include "base/shared_text.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(shared_text, a_copy_shares_the_text) {
  const shared_text one(std::string(64, 'x'));
  const shared_text copy = one;
  EXPECT_EQ(one.str().data(), copy.str().data());
  EXPECT_EQ(copy.str(), std::string(64, 'x'));
}

TEST(shared_text, an_empty_one_is_an_empty_text) {
  EXPECT_TRUE(shared_text().empty());
  EXPECT_TRUE(shared_text("").empty());
  EXPECT_EQ(shared_text().str(), "");
  EXPECT_EQ(shared_text(), shared_text(std::string()));
}

TEST(shared_text, compares_as_its_text) {
  EXPECT_EQ(shared_text("a"), shared_text(std::string("a")));
  EXPECT_NE(shared_text("a"), shared_text("b"));
  EXPECT_LT(shared_text(), shared_text("a"));
  EXPECT_LT(shared_text("a"), shared_text("b"));
}

TEST(shared_text, outlives_the_one_that_it_was_copied_from) {
  shared_text copy;
  {
    const shared_text one(std::string(64, 'y'));
    copy = one;
  }
  EXPECT_EQ(copy.str(), std::string(64, 'y'));
}

}  // namespace
}  // namespace base
