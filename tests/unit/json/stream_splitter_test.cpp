#include "json/stream_splitter.hpp"

#include <gmock/gmock.h>

namespace json {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> take_all(stream_splitter& s) {
  std::vector<std::string> objects;
  while (auto one = s.next()) objects.push_back(*one);
  return objects;
}

std::vector<std::string> split(std::string_view bytes, std::size_t piece) {
  stream_splitter splitter({.bytes = 100});
  std::vector<std::string> objects;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    EXPECT_TRUE(splitter.feed(bytes.substr(at, piece)));
    for (auto& one : take_all(splitter)) objects.push_back(std::move(one));
  }
  return objects;
}

TEST(stream_splitter, an_object_is_complete_with_its_last_brace) {
  stream_splitter s({.bytes = 100});
  ASSERT_TRUE(s.feed(R"({"a":{"b":[1,{}]})"));
  EXPECT_THAT(take_all(s), IsEmpty());
  EXPECT_TRUE(s.inside());
  ASSERT_TRUE(s.feed("}"));
  EXPECT_FALSE(s.inside());
  EXPECT_THAT(take_all(s), ElementsAre(R"({"a":{"b":[1,{}]}})"));
}

TEST(stream_splitter, cuts_objects_with_and_without_newlines) {
  stream_splitter s({.bytes = 100});
  ASSERT_TRUE(s.feed("\n{}{\"a\":1}\r\n  {\"b\":2}\n{"));
  EXPECT_THAT(take_all(s), ElementsAre("{}", "{\"a\":1}", "{\"b\":2}"));
}

TEST(stream_splitter, pieces_of_any_length_give_the_same_objects) {
  const std::string bytes = R"({"}{\"\\":"]"} {"b":{"c":["\\"]}})"
                            "\r\n  "
                            R"({"d":1})"
                            "\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_THAT(split(bytes, piece), ElementsAre(R"({"}{\"\\":"]"})", R"({"b":{"c":["\\"]}})", R"({"d":1})")) << piece;
}

TEST(stream_splitter, other_bytes_end_the_stream_behind_the_objects_before_them) {
  for (const auto* text : {"hello", "[]", "} {}", "\"{}\"", "1"}) {
    stream_splitter s({.bytes = 100});
    const auto fed = s.feed(std::string("{\"a\":1} ") + text);
    ASSERT_FALSE(fed) << text;
    EXPECT_THAT(fed.error().message(), HasSubstr(text));
    EXPECT_THAT(take_all(s), ElementsAre("{\"a\":1}")) << text;
  }
}

TEST(stream_splitter, bounds_the_size_of_each_object_to_the_byte) {
  const std::string object = R"({"a":"b"})";
  EXPECT_TRUE(stream_splitter({.bytes = object.size()}).feed(object + object + object));
  const auto fed = stream_splitter({.bytes = object.size() - 1}).feed(object);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().message(), "a JSON object of more than 8 bytes");
}

TEST(stream_splitter, bounds_an_object_without_an_end) {
  stream_splitter s({.bytes = 1000});
  ASSERT_TRUE(s.feed("{\"a\":\"" + std::string(900, 'x')));
  EXPECT_EQ(s.next(), std::nullopt);
  EXPECT_FALSE(s.feed(std::string(200, 'x')));
}

TEST(stream_splitter, bounds_the_depth) {
  EXPECT_TRUE(stream_splitter({.depth = 3}).feed("{[{\"[[[[\"}]}"));
  const auto fed = stream_splitter({.depth = 3}).feed("{[{[");
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().message(), "a JSON object nested deeper than 3");
}

}  // namespace
}  // namespace json
