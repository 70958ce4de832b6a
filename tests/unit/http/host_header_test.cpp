#include "http/host_header.hpp"

#include <gmock/gmock.h>

#include <string>

namespace http {
namespace {

TEST(host_header, is_a_name_or_an_address_without_its_port) {
  EXPECT_EQ(host_of("gateway.example"), "gateway.example");
  EXPECT_EQ(host_of("gateway.example:80"), "gateway.example");
  EXPECT_EQ(host_of("127.0.0.1:65535"), "127.0.0.1");
  EXPECT_EQ(host_of("under_score-and-dash"), "under_score-and-dash");
}

TEST(host_header, an_ipv6_address_loses_its_brackets) {
  EXPECT_EQ(host_of("[::1]"), "::1");
  EXPECT_EQ(host_of("[fe80::1]:8080"), "fe80::1");
}

// RFC 3986 allows a colon without a port.
TEST(host_header, a_port_may_be_empty) {
  EXPECT_EQ(host_of("a:"), "a");
  EXPECT_EQ(host_of("[::1]:"), "::1");
}

TEST(host_header, what_is_no_host_is_nothing) {
  for (const auto* text : {"", ":", ":80", "[]", "[]:80", "[", "]", "[::1", "::1]", "[::1]80", "[::1]x", "[::1] :80"})
    EXPECT_EQ(host_of(text), std::nullopt) << text;
}

TEST(host_header, a_port_is_a_number_of_16_bits) {
  for (const auto* port : {"65536", "-1", "+80", " 80", "80 ", "8x", "80:80", "0x50"}) {
    EXPECT_EQ(host_of("a:" + std::string(port)), std::nullopt) << port;
    EXPECT_EQ(host_of("[::1]:" + std::string(port)), std::nullopt) << port;
  }
  EXPECT_EQ(host_of("a:65535"), "a");
}

// An IPv6 address without brackets is ambiguous: its last group could be a port.
TEST(host_header, colons_are_for_brackets) {
  EXPECT_EQ(host_of("fe80::1"), std::nullopt);
  EXPECT_EQ(host_of("a:b:80"), std::nullopt);
}

// Each could make a check of the name see another host than the reader of a log, or of a URL.
TEST(host_header, no_character_of_another_syntax_passes) {
  for (const char c : std::string("/\\@?#%,;&'\"<> \t\r\n[]\x7f\x80")) {
    EXPECT_EQ(host_of("a" + std::string(1, c) + "b"), std::nullopt) << static_cast<int>(c);
    EXPECT_EQ(host_of("[::" + std::string(1, c) + "1]"), std::nullopt) << static_cast<int>(c);
  }
  using namespace std::string_view_literals;
  EXPECT_EQ(host_of("a\0b"sv), std::nullopt);
  EXPECT_EQ(host_of("user@gateway:80"), std::nullopt);
}

}  // namespace
}  // namespace http
