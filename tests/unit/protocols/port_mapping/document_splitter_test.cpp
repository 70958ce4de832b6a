#include "protocols/port_mapping/document_splitter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace port_mapping {
namespace {

std::vector<std::string> all(document_splitter& s) {
  std::vector<std::string> documents;
  while (auto one = s.next()) documents.push_back(*one);
  return documents;
}

using ::testing::ElementsAre;

TEST(document_splitter, complete_with_the_last_brace) {
  document_splitter s(100);
  ASSERT_TRUE(s.feed(R"({"a":{"b":[1,{}]}})"));
  EXPECT_FALSE(s.inside());
  EXPECT_THAT(all(s), ElementsAre(R"({"a":{"b":[1,{}]}})"));
}

TEST(document_splitter, several_with_and_without_newlines) {
  document_splitter s(100);
  ASSERT_TRUE(s.feed("\n{}{\"a\":1}\r\n  {\"b\":2}\n{"));
  EXPECT_THAT(all(s), ElementsAre("{}", "{\"a\":1}", "{\"b\":2}"));
  EXPECT_TRUE(s.inside());
}

TEST(document_splitter, byte_by_byte) {
  document_splitter s(100);
  const std::string text = R"({"}{\"\\":"]"} {"x":"\\"})";
  for (const char c : text) ASSERT_TRUE(s.feed({&c, 1}));
  EXPECT_THAT(all(s), ElementsAre(R"({"}{\"\\":"]"})", R"({"x":"\\"})"));
}

TEST(document_splitter, refuses_what_is_no_object) {
  EXPECT_FALSE(document_splitter(100).feed("hello"));
  EXPECT_FALSE(document_splitter(100).feed("[]"));
  EXPECT_FALSE(document_splitter(100).feed("{} }"));
}

TEST(document_splitter, refuses_too_long_a_document) {
  EXPECT_TRUE(document_splitter(9).feed(R"({"a":"b"})"));
  EXPECT_FALSE(document_splitter(8).feed(R"({"a":"b"})"));
  document_splitter many(2);
  EXPECT_TRUE(many.feed("{}{}{}{}"));  // the limit is one document's
}

}  // namespace
}  // namespace port_mapping
