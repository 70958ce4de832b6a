#include "json/json.hpp"

#include <gtest/gtest.h>

namespace json {
namespace {

TEST(json, whole_documents_only) {
  EXPECT_TRUE(parse(R"( {"a":1} )"));
  EXPECT_FALSE(parse(R"({"a":1} x)"));
  EXPECT_FALSE(parse(R"({"a":)"));
  EXPECT_FALSE(parse(""));
}

TEST(json, first_document_ignores_what_follows) {
  const auto v = parse_first(R"({"a":1}garbage)");
  ASSERT_TRUE(v) << v.error().message();
  EXPECT_EQ(find_integer(*v, "a"), 1);
}

TEST(json, bounds_depth_and_size) {
  EXPECT_FALSE(parse(std::string(10'000, '[')));
  EXPECT_FALSE(parse(std::string(40, '[') + std::string(40, ']')));
  EXPECT_FALSE(parse("[1,2,3]", {.bytes = 3}));
}

TEST(json, accessors_are_total) {
  const auto v = parse(R"({"s":"x","n":null,"i":7,"f":1.5,"b":true,"o":{},"l":[]})").value();
  EXPECT_EQ(find_string(v, "s"), "x");
  EXPECT_EQ(find(v, "n"), nullptr);
  EXPECT_EQ(find_integer(v, "f"), std::nullopt);
  EXPECT_EQ(find_bool(v, "b"), true);
  EXPECT_NE(find_array(v, "l"), nullptr);
  EXPECT_EQ(find_string(v, "i"), std::nullopt);
  EXPECT_EQ(find(value(1), "s"), nullptr);
}

TEST(json, any_case_takes_the_last_that_is_there_as_go_does) {
  const auto v = parse(R"({"local":"a","LOCAL":"b","Local":null,"Remote":"c"})").value();
  EXPECT_EQ(*find_any_case(v, "local"), "b");
  EXPECT_EQ(*find_any_case(v, "remote"), "c");
  EXPECT_EQ(find_any_case(v, "absent"), nullptr);
}

}  // namespace
}  // namespace json
