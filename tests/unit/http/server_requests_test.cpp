// Requests as bytes, as clients of other versions and with bad intentions send them.
#include <gmock/gmock.h>

#include <string>

#include "tests/unit/http/server_fixture.hpp"

namespace http {
namespace {

using testing::HasSubstr;

TEST_F(server_test, answers_bad_requests_and_closes) {
  start({.header_bytes = 1024, .body_bytes = 16});
  EXPECT_THAT(raw("rubbish\r\n\r\n"), HasSubstr("400 Bad Request"));
  EXPECT_THAT(raw("GET / HTTP/1.1\r\nA: " + std::string(5000, 'x') + "\r\n\r\n"), HasSubstr(" 431 "));
  EXPECT_THAT(raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n"), HasSubstr(" 413 "));
}

// As rubbish in the place of the version.
TEST_F(server_test, refuses_other_versions_than_1_0_and_1_1) {
  start();
  for (const auto* version : {"0.9", "1.2", "2.0", "3"})
    EXPECT_THAT(raw("GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n\r\n"),
                HasSubstr("400 Bad Request: bad version"))
        << version;
}

TEST_F(server_test, tells_a_client_that_asks_to_continue) {
  start();
  EXPECT_THAT(
      raw("POST /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"),
      testing::AllOf(HasSubstr("100 Continue"), HasSubstr("POST /y hi")));
}

TEST_F(server_test, a_request_says_for_which_host_it_is) {
  start();
  EXPECT_THAT(raw("GET / HTTP/1.1\r\n\r\n"), HasSubstr(" 400 "));
  EXPECT_THAT(raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), HasSubstr(" 400 "));
  EXPECT_THAT(raw("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), HasSubstr(" 400 "));
  EXPECT_THAT(raw("GET /old HTTP/1.0\r\n\r\n"), HasSubstr("GET /old "));
}

TEST_F(server_test, a_url_as_target_leads_to_its_path) {
  start();
  EXPECT_THAT(raw("GET http://a:1/x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), HasSubstr("\nGET /x?y "));
  EXPECT_THAT(raw("GET x HTTP/1.1\r\nHost: a\r\n\r\n"), HasSubstr(" 400 "));
}

// The end of the connection is the end of the answer, also for a client that asks to keep it.
TEST_F(server_test, a_client_of_http_1_0_gets_no_chunks) {
  start();
  const auto streamed = raw("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_THAT(streamed, testing::StartsWith("HTTP/1.1 200 OK\r\nConnection: close\r\n"));
  EXPECT_THAT(streamed, testing::EndsWith("\r\n\r\none\ntwo\nthree\n"));
  EXPECT_THAT(raw("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(raw("POST /x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"),
              testing::Not(HasSubstr("100 Continue")));
}

TEST_F(server_test, refuses_what_it_does_not_understand) {
  start();
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_THAT(raw(post + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx"), HasSubstr(" 417 "));
  EXPECT_THAT(raw(post + "Transfer-Encoding: gzip\r\n\r\n"), HasSubstr(" 501 "));
  EXPECT_THAT(raw(post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), HasSubstr(" 501 "));
  EXPECT_THAT(raw(post + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx"), HasSubstr(" 501 "));
  EXPECT_THAT(raw(post + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"), HasSubstr(" 400 "));
  EXPECT_THAT(raw(post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"), HasSubstr(" 400 "));
  EXPECT_THAT(raw(post + "Connection: close\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
              HasSubstr("POST / hi"));
}

TEST_F(server_test, requests_that_come_at_once_are_answered_in_order) {
  start();
  EXPECT_THAT(raw("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET /3 "
                  "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              testing::ContainsRegex("GET /1 (.|\n)*POST /2 x(.|\n)*GET /3 "));
}

}  // namespace
}  // namespace http
