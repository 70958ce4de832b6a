#include "http/request_text.hpp"

#include <gtest/gtest.h>

namespace http {
namespace {

std::string text_of(const request& r) { return to_text(r, "localhost").value(); }

TEST(request_text, a_question_has_no_body) {
  EXPECT_EQ(text_of({.target = "/v1.41/info"}),
            "GET /v1.41/info HTTP/1.1\r\nHost: localhost\r\nUser-Agent: guestagent\r\n\r\n");
}

TEST(request_text, a_body_has_its_length_and_an_empty_post_has_one) {
  EXPECT_EQ(text_of({.method = "POST", .target = "/a", .body = "{}"}),
            "POST /a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: guestagent\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_TRUE(text_of({.method = "POST", .target = "/a"}).contains("\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(text_of({.method = "PUT", .target = "/a", .body = "x\ny"}).ends_with("Content-Length: 3\r\n\r\nx\ny"));
}

TEST(request_text, fields_of_the_request_replace_those_that_go_with_each) {
  const auto text = text_of({.headers = {{"Authorization", "Bearer x"}, {"host", "other"}}});
  EXPECT_EQ(text, "GET / HTTP/1.1\r\nUser-Agent: guestagent\r\nAuthorization: Bearer x\r\nhost: other\r\n\r\n");
}

TEST(request_text, nothing_begins_another_line) {
  for (const std::string bad : {"/a\r\nX: y", "/a b", "/a\n", "", "/"})
    EXPECT_EQ(to_text({.target = bad}, "localhost").has_value(), bad == "/") << bad;
  EXPECT_FALSE(to_text({.method = "GET /x HTTP/1.1\r\n\r\nGET"}, "localhost"));
  EXPECT_FALSE(to_text({.headers = {{"A", "b\r\nC: d"}}}, "localhost"));
  EXPECT_FALSE(to_text({.headers = {{"A: b\r\nC", "d"}}}, "localhost"));
  EXPECT_FALSE(to_text({}, "local\nhost"));
  EXPECT_TRUE(to_text({.headers = {{"A", "b\tc \xc3\xa4"}}}, "localhost"));
}

}  // namespace
}  // namespace http
