#include "json/json.hpp"

#include <gtest/gtest.h>

namespace json {
namespace {

TEST(Json, WholeDocumentsOnly) {
  EXPECT_TRUE(parse(R"( {"a":1} )"));
  EXPECT_FALSE(parse(R"({"a":1} x)"));
  EXPECT_FALSE(parse(R"({"a":)"));
  EXPECT_FALSE(parse(""));
}

TEST(Json, FirstDocumentIgnoresWhatFollows) {
  const auto v = parse_first(R"({"a":1}garbage)");
  ASSERT_TRUE(v) << v.error().message();
  EXPECT_EQ(find_integer(*v, "a"), 1);
}

TEST(Json, BoundsDepthAndSize) {
  EXPECT_FALSE(parse(std::string(10'000, '[')));
  EXPECT_FALSE(parse(std::string(40, '[') + std::string(40, ']')));
  EXPECT_FALSE(parse("[1,2,3]", {.bytes = 3}));
}

TEST(Json, AccessorsAreTotal) {
  const auto v = parse(R"({"s":"x","n":null,"i":7,"f":1.5,"b":true,"o":{},"l":[]})").value();
  EXPECT_EQ(find_string(v, "s"), "x");
  EXPECT_EQ(find(v, "n"), nullptr);
  EXPECT_EQ(find_integer(v, "f"), std::nullopt);
  EXPECT_EQ(find_bool(v, "b"), true);
  EXPECT_NE(find_object(v, "o"), nullptr);
  EXPECT_NE(find_array(v, "l"), nullptr);
  EXPECT_EQ(find_string(v, "i"), std::nullopt);
  EXPECT_EQ(find(value(1), "s"), nullptr);
}

TEST(Json, AnyCaseTakesTheLastThatIsThereAsGoDoes) {
  const auto v = parse(R"({"local":"a","LOCAL":"b","Local":null,"Remote":"c"})").value();
  EXPECT_EQ(*find_any_case(v, "local"), "b");
  EXPECT_EQ(*find_any_case(v, "remote"), "c");
  EXPECT_EQ(find_any_case(v, "absent"), nullptr);
}

}  // namespace
}  // namespace json
