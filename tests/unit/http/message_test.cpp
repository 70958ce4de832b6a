#include "http/message.hpp"

#include <gtest/gtest.h>

#include "http/connection.hpp"

namespace http {
namespace {

TEST(message, headers_ignore_case) {
  response r;
  r.headers["Api-Version"] = "1.41";
  EXPECT_EQ(r.header("api-version"), "1.41");
  EXPECT_EQ(r.header("none"), "");
}

TEST(message, escapes_all_but_unreserved_characters) {
  EXPECT_EQ(escape("aZ0-._~{\"x\":1} é"), "aZ0-._~%7B%22x%22%3A1%7D%20%C3%A9");
}

TEST(server_address, parses_the_forms_that_peers_have) {
  EXPECT_EQ(parse_server_address("unix:///var/run/docker.sock").value(),
            (server_address{.path = "/var/run/docker.sock"}));
  EXPECT_EQ(parse_server_address("http://gateway.rancher-desktop.internal:80/").value(),
            (server_address{.host = "gateway.rancher-desktop.internal"}));
  EXPECT_EQ(parse_server_address("tcp://[::1]:2375").value(), (server_address{.host = "::1", .port = 2375}));
}

TEST(server_address, refuses_the_rest_by_name) {
  for (const auto* bad : {"", "docker.sock", "unix://relative", "ftp://x", "http://", "http://h:0", "http://h:70000",
                          "http://h/path", "http://[::1"}) {
    const auto parsed = parse_server_address(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_NE(parsed.error().message().find("address \""), std::string::npos) << bad;
  }
}

}  // namespace
}  // namespace http
