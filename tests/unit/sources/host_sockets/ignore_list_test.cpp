#include "sources/host_sockets/ignore_list.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace host_sockets {
namespace {

using net::protocol;

ignore_list parse(std::string_view text) { return ignore_list::parse(text).value(); }
std::string error_of(std::string_view text) { return ignore_list::parse(text).error().message(); }

TEST(ignore_list, ports_ranges_and_protocols) {
  const auto list = parse("tcp:10248-10259, udp:5353 ,53,7000-7002");
  EXPECT_TRUE(list.contains(protocol::tcp, 10248));
  EXPECT_TRUE(list.contains(protocol::tcp, 10259));
  EXPECT_FALSE(list.contains(protocol::tcp, 10260));
  EXPECT_FALSE(list.contains(protocol::udp, 10250));
  EXPECT_TRUE(list.contains(protocol::udp, 5353));
  EXPECT_FALSE(list.contains(protocol::tcp, 5353));
  for (const auto p : {protocol::tcp, protocol::udp}) {
    EXPECT_TRUE(list.contains(p, 53));
    EXPECT_TRUE(list.contains(p, 7001));
  }
}

TEST(ignore_list, empty_ignores_nothing) {
  EXPECT_EQ(parse("").size(), 0U);
  EXPECT_EQ(parse("  ").size(), 0U);
  EXPECT_FALSE(parse("").contains(protocol::udp, 53));
}

TEST(ignore_list, default_is_a_word_that_can_be_added_to) {
  const auto list = parse("default,tcp:9100");
  EXPECT_TRUE(list.contains(protocol::tcp, 9100));
  for (const auto port : std::vector<std::uint16_t>{10248, 10250, 10259, 6443, 6444, 53, 5355})
    EXPECT_TRUE(list.contains(protocol::tcp, port)) << port;
  for (const auto port : std::vector<std::uint16_t>{53, 68, 5353, 5355, 323, 8472, 4789, 6081})
    EXPECT_TRUE(list.contains(protocol::udp, port)) << port;
  for (const auto port : std::vector<std::uint16_t>{80, 68, 5353, 323, 8472, 4789, 6081})
    EXPECT_FALSE(list.contains(protocol::tcp, port)) << port;
}

TEST(ignore_list, says_what_is_wrong) {
  EXPECT_EQ(error_of("80,http:81"), "\"http:81\" begins with neither tcp: nor udp:");
  EXPECT_EQ(error_of("sctp:81"), "\"sctp:81\" begins with neither tcp: nor udp:");
  EXPECT_EQ(error_of("tcp:"), "\"tcp:\" is no port and no range of ports (1 to 65535)");
  EXPECT_EQ(error_of("80,,81"), "\"\" is no port and no range of ports (1 to 65535)");
  EXPECT_EQ(error_of("0"), "\"0\" is no port and no range of ports (1 to 65535)");
  EXPECT_EQ(error_of("1-65536"), "\"1-65536\" is no port and no range of ports (1 to 65535)");
  EXPECT_EQ(error_of("90-80"), "\"90-80\" is a range that ends before it begins");
  std::string many = "1";
  for (int i = 0; i < 1'000; ++i) many += ",1";
  EXPECT_EQ(error_of(many), "more than 1000 entries");
}

}  // namespace
}  // namespace host_sockets
