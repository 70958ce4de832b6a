#include "program/flag_values.hpp"

#include <gtest/gtest.h>

namespace program {
namespace {

template <class T>
void expect(base::result<T> (*parse)(std::string_view), std::vector<std::string> good, std::vector<std::string> wrong) {
  for (const auto& text : good) EXPECT_TRUE(parse(text)) << text;
  for (const auto& text : wrong) EXPECT_FALSE(parse(text)) << text;
}

TEST(flag_values, addresses) {
  expect(ip_address, {"10.0.0.1", "fe80::1"}, {"", "host", "0.0.0.0", "::", "1.2.3.4:80"});
  expect(ipv4_address, {"10.0.0.1"}, {"", "fe80::1", "0.0.0.0", "10.0.0.1/24"});
  expect(endpoint, {"10.0.0.1:80", "[::1]:80", "0.0.0.0:80"}, {"", "10.0.0.1", "10.0.0.1:0", "host:80"});
  expect(loopback_endpoint, {"127.0.0.1:80", "127.1.2.3:80", "[::1]:80"}, {"127.0.0.1", "10.0.0.1:80", "0.0.0.0:80"});
}

TEST(flag_values, numbers) {
  expect(port, {"1", "65535"}, {"", "0", "65536", "-1", "http"});
  expect(buffer_size, {"0", "8388608", "1073741824"}, {"", "-1", "x", "1073741825", "9999999999"});
}

TEST(flag_values, paths) {
  expect(path, {"x", "/x", "./x"}, {""});
  expect(absolute_path, {"/", "/var/lib/x"}, {"", "x", "./x"});
  expect(socket_path, {"/run/x.sock", "/" + std::string(106, 'x')}, {"", "x.sock", "/" + std::string(107, 'x')});
  expect(own_socket_path, {"/run/x.sock", "/" + std::string(102, 'x')}, {"", "x.sock", "/" + std::string(103, 'x')});
}

TEST(flag_values, a_duration_is_as_go_writes_it) {
  using namespace std::chrono_literals;
  EXPECT_EQ(duration("10s").value(), 10s);
  EXPECT_EQ(duration("500ms").value(), 500ms);
  EXPECT_EQ(duration("1m30s").value(), 90s);
  EXPECT_EQ(duration("24h").value(), 24h);
  for (const auto* wrong : {"", "0s", "10", "s", "-1s", "1.5s", "10x", "10s ", "25h", "4294967296s", "4294967295h"})
    EXPECT_FALSE(duration(wrong)) << wrong;
}

}  // namespace
}  // namespace program
