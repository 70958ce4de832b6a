#include "http/request_head.hpp"

#include <gmock/gmock.h>

#include <utility>
#include <vector>

namespace http {
namespace {

namespace beast = boost::beast::http;
using field = std::pair<beast::field, std::string>;
using enum beast::field;

// A field that is given twice stays two fields.
beast::request_header<> head_of(const std::vector<field>& fields, unsigned version = 11,
                                const std::string& target = "/") {
  beast::request_header<> head;
  head.version(version);
  head.method(beast::verb::get);
  head.target(target);
  for (const auto& [name, value] : fields) head.insert(name, value);
  return head;
}

// The status of the refusal; 0: it may be served.
unsigned status_of(const beast::request_header<>& head) {
  const auto answer = check_head(head);
  return answer ? answer->status : 0;
}
unsigned refusal(const std::vector<field>& fields, unsigned version = 11) {
  return status_of(head_of(fields, version));
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

TEST(request_head, names_one_origin_or_none) {
  EXPECT_EQ(refusal({{host, "a"}, {origin, "http://a"}}), 0U);
  EXPECT_EQ(refusal({{host, "a"}, {origin, "http://b"}, {origin, "http://a"}}), 400U);
  EXPECT_EQ(refusal({{host, "a"}, {origin, "http://a"}, {origin, "http://a"}}), 400U);
}

TEST(request_head, a_target_is_a_path_or_a_url) {
  const auto to = [](const std::string& target) { return status_of(head_of({{host, "a"}}, 11, target)); };
  for (const auto* good : {"/", "/a?b=http://c", "*", "http://a", "HTTP://a:1/b", "http://[::1]:1?c"})
    EXPECT_EQ(to(good), 0U) << good;
  for (const auto* bad : {"", "a", "a/b", "http:/a", "http:///", "http://?a", "https://a/", "file:///etc"})
    EXPECT_EQ(to(bad), 400U) << bad;
}

TEST(request_head, the_host_of_a_url_replaces_the_header) {
  const auto read = [](const std::string& target) { return read_head(head_of({{host, "other:2"}}, 11, target)); };
  const auto whole = read("http://localhost:9990/v1/status?a=/b");
  EXPECT_EQ(whole.target, "/v1/status?a=/b");
  EXPECT_EQ(whole.headers.at("host"), "localhost:9990");
  EXPECT_EQ(read("http://localhost").target, "/");
  EXPECT_EQ(read("Http://localhost?q").target, "/?q");
  EXPECT_EQ(read("http://u@localhost/").headers.at("Host"), "u@localhost") << "which is not the name of a host";
  EXPECT_EQ(read("/http://localhost/").target, "/http://localhost/");
  EXPECT_EQ(read("/").headers.at("Host"), "other:2");
}

TEST(request_head, no_value_of_a_header_hides_another) {
  auto head = head_of({{host, "a"}});
  for (const auto* value : {"cross-site", "same-origin"}) head.insert("Sec-Fetch-Site", value);
  EXPECT_EQ(read_head(head).headers.at("sec-fetch-site"), "cross-site, same-origin");
}

TEST(request_head, before_version_1_1_there_are_no_chunks_and_nothing_to_continue) {
  EXPECT_EQ(refusal({{host, "a"}, {transfer_encoding, "chunked"}}, 10), 400U);
  EXPECT_FALSE(expects_continue(head_of({{expect, "100-continue"}}, 10)));
  EXPECT_TRUE(expects_continue(head_of({{expect, "100-continue"}}, 11)));
  EXPECT_FALSE(expects_continue(head_of({}, 11)));
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
  const auto answer = check_head(head_of({}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "400 Bad Request: missing required Host header\n");
  EXPECT_THAT(std::string(answer->header("Content-Type")), testing::StartsWith("text/plain"));
}

}  // namespace
}  // namespace http
