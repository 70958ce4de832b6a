#include "net/endpoint.hpp"

#include <gtest/gtest.h>

#include "net/protocol.hpp"

namespace net {
namespace {

TEST(endpoint, text_and_back) {
  for (const auto* text : {"127.0.0.1:80", "0.0.0.0:0", "[::1]:65535", "[fe80::1]:8080"}) {
    const auto parsed = parse_endpoint(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(to_string(*parsed), text);
  }
}

TEST(endpoint, a_port_alone_is_on_the_v4_wildcard) {
  EXPECT_EQ(parse_endpoint(":80"), (endpoint{address::any_v4(), 80}));
}

TEST(endpoint, what_go_refuses_is_refused) {
  for (const auto* text :
       {"", ":", "80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4: 1", "::1:80",
        "[::1]", "[::1]80", "[1.2.3.4]:80", "[]:80", "[:80", "host:80", "1.2.3.4:http"})
    EXPECT_FALSE(parse_endpoint(text)) << text;
}

TEST(endpoint, the_kernels_form_and_back) {
  for (const auto* text : {"127.0.0.1:80", "[2001:db8::1]:443"}) {
    const auto there = to_sockaddr(*parse_endpoint(text));
    EXPECT_EQ(from_sockaddr(there), parse_endpoint(text));
  }
  EXPECT_EQ(from_sockaddr(socket_address{}), std::nullopt);
}

TEST(protocol, names_are_exact) {
  EXPECT_EQ(parse_protocol("tcp"), protocol::tcp);
  EXPECT_EQ(parse_protocol("udp"), protocol::udp);
  EXPECT_EQ(parse_protocol("sctp"), protocol::sctp);
  EXPECT_EQ(parse_protocol("TCP"), std::nullopt);
  EXPECT_EQ(parse_protocol(""), std::nullopt);
}

}  // namespace
}  // namespace net
