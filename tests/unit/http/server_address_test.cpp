#include <gtest/gtest.h>

#include "http/connection.hpp"

namespace http {
namespace {

TEST(server_address, unix_sockets_and_tcp_are_understood) {
  EXPECT_EQ(parse_server_address("unix:///run/x.sock")->path, "/run/x.sock");
  const auto named = parse_server_address("http://gateway.rancher-desktop.internal:8080/");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->host, "gateway.rancher-desktop.internal");
  EXPECT_EQ(named->port, 8080);
  EXPECT_EQ(parse_server_address("tcp://10.0.0.1")->port, 80);
}

TEST(server_address, v6_stands_in_brackets) {
  const auto v6 = parse_server_address("tcp://[::1]:2375");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 2375);
  EXPECT_EQ(to_string(*v6), "http://[::1]:2375");
  EXPECT_EQ(parse_server_address("tcp://[::1]")->host, "::1");
}

class refused_address : public testing::TestWithParam<std::string_view> {};

TEST_P(refused_address, is_an_error_with_the_address_in_it) {
  const auto parsed = parse_server_address(GetParam());
  ASSERT_FALSE(parsed);
  EXPECT_TRUE(parsed.error().message().starts_with("address \""));
}

INSTANTIATE_TEST_SUITE_P(each, refused_address,
                         testing::Values("", "10.0.0.1:80", "ftp://x", "unix://relative", "http://", "http://:80",
                                         "http://h:0", "http://h:99999", "http://h:80x", "http://h/path", "http://[::1",
                                         "http://[]:1", "http://[::1]x", "http://[::1]x:80", "http://[name]:80",
                                         "http://[10.0.0.1]:80", "http://a b:80", "http://h\r\nX-Evil: 1:80",
                                         "http://user@h:80"));

}  // namespace
}  // namespace http
