#include "programs/guest_agent/page_access.hpp"

#include <gmock/gmock.h>

namespace guest_agent {
namespace {

const net::address page = net::address::v4(127, 0, 0, 1);

// The status of the refusal; 0: the request is answered.
unsigned refusal(const http::request& request, const net::address& at = page) {
  const auto refused = deny(request, at);
  return refused ? refused->status : 0;
}

http::request get(const std::string& host, http::header_map more = {}, std::string target = "/v1/status") {
  more["Host"] = host;
  return {.method = "GET", .target = std::move(target), .headers = std::move(more)};
}

TEST(page_access, the_host_is_this_machine_at_any_port) {
  for (const auto* host : {"localhost", "LocalHost:9990", "127.0.0.1", "127.0.0.1:19990", "[::1]:9990"})
    EXPECT_EQ(refusal(get(host)), 0U) << host;
  EXPECT_EQ(refusal(get("192.168.127.2:9990")), 403U);
  EXPECT_EQ(refusal(get("192.168.127.2:9990"), net::address::v4(192, 168, 127, 2)), 0U) << "its own address";
}

TEST(page_access, a_name_of_another_site_is_refused) {
  for (const auto* host : {"rebind.example", "rebind.example:9990", "127.0.0.1.nip.io", "localhost.example",
                           "localhost.", "127.0.0.2", "0.0.0.0:9990", "2130706433", "127.1", "[::]", "[::ffff:7f00:2]"})
    EXPECT_EQ(refusal(get(host)), 403U) << host;
  for (const auto* host : {"", "localhost:x", "a b", "localhost@evil", "localhost/", "[::1"})
    EXPECT_EQ(refusal(get(host)), 400U) << host;
  EXPECT_EQ(refusal({.method = "GET", .target = "/"}), 400U) << "HTTP/1.0 without Host";
}

TEST(page_access, the_page_is_read_only) {
  EXPECT_EQ(refusal({.method = "HEAD", .target = "/", .headers = {{"Host", "localhost"}}}), 0U);
  for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"}) {
    const auto refused = deny({.method = method, .target = "/", .headers = {{"Host", "localhost"}}}, page);
    ASSERT_TRUE(refused) << method;
    EXPECT_EQ(refused->status, 405U) << method;
    EXPECT_EQ(refused->header("Allow"), "GET, HEAD");
  }
  EXPECT_EQ(refusal({.method = "POST", .target = "/", .headers = {{"Host", "rebind.example"}}}), 403U);
}

TEST(page_access, another_origin_is_refused) {
  EXPECT_EQ(refusal(get("localhost:9990", {{"Origin", "http://localhost:9990"}})), 0U);
  EXPECT_EQ(refusal(get("[::1]:9990", {{"Origin", "http://[::1]:9990"}})), 0U);
  for (const auto* origin : {"null", "http://pages.example", "http://localhost:8080", "http://localhost",
                             "https://localhost:9990", "http://127.0.0.1:9990", ""})
    EXPECT_EQ(refusal(get("localhost:9990", {{"Origin", origin}})), 403U) << origin;
}

TEST(page_access, a_page_of_another_site_may_link_to_the_page_and_nothing_else) {
  const http::header_map link{
      {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "document"}};
  EXPECT_EQ(refusal(get("localhost", link, "/")), 0U);
  EXPECT_EQ(refusal(get("localhost", link, "/v1/status")), 403U);
  auto frame = link;
  frame["Sec-Fetch-Dest"] = "iframe";
  EXPECT_EQ(refusal(get("localhost", frame, "/")), 403U);
  for (const auto* site : {"same-site", "cross-site", "other"})
    EXPECT_EQ(refusal(get("localhost", {{"Sec-Fetch-Site", site}, {"Sec-Fetch-Mode", "no-cors"}}, "/")), 403U) << site;
  for (const auto* site : {"same-origin", "none"})
    EXPECT_EQ(refusal(get("localhost", {{"sec-fetch-site", site}, {"Sec-Fetch-Mode", "cors"}})), 0U) << site;
}

TEST(page_access, every_answer_is_protected) {
  http::response answer;
  protect(answer);
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.header("Referrer-Policy"), "no-referrer");
  EXPECT_EQ(answer.header("X-Frame-Options"), "DENY");
  EXPECT_EQ(answer.header("Cross-Origin-Resource-Policy"), "same-origin");
  EXPECT_EQ(answer.header("Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'");
  http::response with_policy{200, {{"Content-Security-Policy", "default-src 'self'"}}, ""};
  protect(with_policy);
  EXPECT_EQ(with_policy.header("Content-Security-Policy"), "default-src 'self'");
}

TEST(stream_places, one_client_leaves_room_for_others) {
  stream_places places(5, 2);
  std::vector<stream_places::place> held;
  const auto takes = [&](const char* peer) {
    auto place = places.take(peer);
    if (place) held.push_back(std::move(*place));
    return place.has_value();
  };
  EXPECT_TRUE(takes("192.168.127.1"));
  EXPECT_TRUE(takes("192.168.127.1"));
  EXPECT_FALSE(takes("192.168.127.1"));
  EXPECT_TRUE(takes("127.0.0.1"));
  EXPECT_TRUE(takes("127.0.0.2"));
  EXPECT_FALSE(takes("127.0.0.3")) << "loopback addresses are free to choose: they are one client";
  EXPECT_FALSE(takes("::1"));
  EXPECT_TRUE(takes("192.168.143.2"));
  EXPECT_FALSE(takes("192.168.143.3")) << "all are taken";
  EXPECT_EQ(places.taken(), 5U);
  held.clear();
  EXPECT_EQ(places.taken(), 0U);
  EXPECT_TRUE(places.has_room("192.168.127.1"));
}

}  // namespace
}  // namespace guest_agent
