#include "http/request_head.hpp"

#include <gmock/gmock.h>

#include <utility>
#include <vector>

namespace http {
namespace {

namespace beast = boost::beast::http;
using field = std::pair<beast::field, std::string>;
using enum beast::field;

// The status of the refusal; 0: it may be served. A field that is given twice stays two fields.
unsigned refusal(const std::vector<field>& fields, unsigned version = 11) {
  beast::request_header<> head;
  head.version(version);
  for (const auto& [name, value] : fields) head.insert(name, value);
  const auto answer = check_head(head);
  return answer ? answer->status : 0;
}

TEST(request_head, names_one_host) {
  EXPECT_EQ(refusal({{host, "a"}}), 0U);
  EXPECT_EQ(refusal({{host, ""}}), 0U) << "empty is not missing";
  EXPECT_EQ(refusal({}), 400U);
  EXPECT_EQ(refusal({{host, "a"}, {host, "b"}}), 400U);
  EXPECT_EQ(refusal({{host, "a"}, {host, "a"}}), 400U) << "twice the same";
}

TEST(request_head, before_version_1_1_the_host_may_be_missing_but_not_doubtful) {
  EXPECT_EQ(refusal({}, 10), 0U);
  EXPECT_EQ(refusal({{host, "a"}, {host, "b"}}, 10), 400U);
}

// Two programs that read the length of a body differently can be led to see different requests.
TEST(request_head, chunked_is_the_only_transfer_encoding) {
  const auto encoded = [](const std::string& value) { return refusal({{host, "a"}, {transfer_encoding, value}}); };
  for (const auto* good : {"chunked", "Chunked", " CHUNKED\t"}) EXPECT_EQ(encoded(good), 0U) << good;
  for (const auto* bad : {"", "gzip", "identity", "gzip, chunked", "chunked, chunked", "chunked;q=1", "xchunked"})
    EXPECT_EQ(encoded(bad), 501U) << bad;
  EXPECT_EQ(refusal({{host, "a"}, {transfer_encoding, "chunked"}, {transfer_encoding, "chunked"}}), 501U);
  EXPECT_EQ(refusal({{host, "a"}, {transfer_encoding, "chunked"}, {transfer_encoding, "gzip"}}), 501U);
}

TEST(request_head, to_continue_is_the_only_expectation) {
  const auto expecting = [](const std::string& value) { return refusal({{host, "a"}, {expect, value}}); };
  for (const auto* good : {"100-continue", "100-Continue", " 100-continue "}) EXPECT_EQ(expecting(good), 0U) << good;
  for (const auto* bad : {"", "200-ok", "100", "100-continue, 100-continue"}) EXPECT_EQ(expecting(bad), 417U) << bad;
  EXPECT_EQ(refusal({{host, "a"}, {expect, "100-continue"}, {expect, "100-continue"}}), 417U);
}

TEST(request_head, a_refusal_is_a_line_of_text_that_says_why) {
  beast::request_header<> head;
  head.version(11);
  const auto answer = check_head(head);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "400 Bad Request: missing required Host header\n");
  EXPECT_THAT(std::string(answer->header("Content-Type")), testing::StartsWith("text/plain"));
}

}  // namespace
}  // namespace http
