#include "sources/docker/object_splitter.hpp"

#include <gmock/gmock.h>

#include <vector>

namespace docker {
namespace {

std::vector<std::string> split(const std::string& bytes, std::size_t piece) {
  object_splitter splitter;
  std::vector<std::string> objects;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    splitter.feed(std::string_view(bytes).substr(at, piece));
    for (auto next = splitter.next(); next.value(); next = splitter.next()) objects.push_back(**next);
  }
  return objects;
}

TEST(object_splitter, cuts_wherever_the_network_does) {
  const std::string bytes = "{\"a\":\"}{\\\"\\\\\"}{\"b\":{\"c\":{}}}\r\n  {\"d\":1}\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
    EXPECT_THAT(split(bytes, piece), testing::ElementsAre("{\"a\":\"}{\\\"\\\\\"}", "{\"b\":{\"c\":{}}}", "{\"d\":1}"))
        << piece;
}

TEST(object_splitter, what_is_no_object_ends_the_stream) {
  object_splitter splitter;
  splitter.feed("{}[1]");
  EXPECT_TRUE(splitter.next().value());
  EXPECT_FALSE(splitter.next());
}

TEST(object_splitter, an_object_without_an_end_is_bounded) {
  object_splitter splitter(1000);
  splitter.feed("{\"a\":\"" + std::string(900, 'x'));
  EXPECT_FALSE(splitter.next().value());
  splitter.feed(std::string(200, 'x'));
  EXPECT_FALSE(splitter.next());
}

TEST(object_splitter, a_whole_object_is_bounded_to_the_byte) {
  const std::string object = R"({"a":"b"})";
  for (const std::size_t limit : {object.size(), object.size() - 1}) {
    object_splitter splitter(limit);
    splitter.feed(object + "{}");
    EXPECT_EQ(splitter.next().has_value(), limit == object.size());
  }
}

}  // namespace
}  // namespace docker
