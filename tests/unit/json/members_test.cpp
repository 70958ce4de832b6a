#include "json/members.hpp"

#include <gmock/gmock.h>

namespace json {
namespace {

using testing::ElementsAre;

value parsed(std::string_view text) { return parse(text).value(); }

TEST(members, an_empty_text_or_number_is_left_out) {
  object o;
  add_text(o, "a", "");
  add_text(o, "b", "x");
  add_number(o, "c", std::optional<int>());
  add_number(o, "d", std::optional(0));
  EXPECT_EQ(serialize(o), R"({"b":"x","d":0})");
}

TEST(members, what_is_missing_or_has_another_type_is_empty) {
  const auto v = parsed(R"({"text":"x","number":5,"none":null})");
  EXPECT_EQ(text_of(v, "text"), "x");
  for (const auto* name : {"number", "none", "missing"}) EXPECT_EQ(text_of(v, name), "") << name;
  EXPECT_EQ(number_of<int>(v, "number"), 5);
  for (const auto* name : {"text", "none", "missing"}) EXPECT_EQ(number_of<int>(v, name), std::nullopt) << name;
  EXPECT_EQ(text_of(parsed("[]"), "text"), "");
}

TEST(members, a_number_that_the_type_cannot_hold_is_empty) {
  const auto v = parsed(R"({"big":65536,"below":-1,"most":65535})");
  EXPECT_EQ(number_of<std::uint16_t>(v, "big"), std::nullopt);
  EXPECT_EQ(number_of<std::uint64_t>(v, "below"), std::nullopt);
  EXPECT_EQ(number_of<std::uint16_t>(v, "most"), 65535);
}

TEST(members, a_list_has_its_objects) {
  const auto name_of = [](const value& v) { return text_of(v, "name"); };
  const auto v = parsed(R"({"list":[{"name":"a"},1,[],{"name":"b"}],"other":{}})");
  EXPECT_THAT(decode_all<std::string>(v, "list", name_of), ElementsAre("a", "b"));
  EXPECT_THAT(decode_all<std::string>(v, "other", name_of), ElementsAre());
  const std::vector<std::string> names{"a", "b"};
  const auto written = encode_all<std::string>(names, [](const std::string& n) { return object{{"name", n}}; });
  EXPECT_EQ(serialize(written), R"([{"name":"a"},{"name":"b"}])");
}

}  // namespace
}  // namespace json
