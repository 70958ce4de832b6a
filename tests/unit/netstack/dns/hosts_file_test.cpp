#include "netstack/dns/hosts_file.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/dns/messages.hpp"

namespace netstack::dns {
namespace {

using addresses = std::vector<net::address>;

net::address address(std::string_view text) { return net::address::parse(text).value(); }

TEST(hosts_file, names_and_aliases) {
  const auto hosts = hosts_file::parse(
      "127.0.0.1 localhost\n"
      "# 10.0.0.1 comment\n"
      "\t10.0.0.2\tPrinter.lan  printer # the one upstairs\r\n"
      "::1 localhost ip6-localhost\n"
      "10.0.0.3 printer.lan\n"
      "\n"
      "10.0.0.4 last");
  EXPECT_EQ(hosts.addresses_of(named("localhost")), (addresses{address("127.0.0.1"), address("::1")}));
  EXPECT_EQ(hosts.addresses_of(named("PRINTER.lan")), (addresses{address("10.0.0.2"), address("10.0.0.3")}));
  EXPECT_EQ(hosts.addresses_of(named("printer")), addresses{address("10.0.0.2")});
  EXPECT_EQ(hosts.addresses_of(named("last")), addresses{address("10.0.0.4")});
  EXPECT_TRUE(hosts.addresses_of(named("comment")).empty());
  EXPECT_EQ(hosts.names_of(address("10.0.0.2")), std::vector{named("printer.lan")});
  EXPECT_TRUE(hosts.names_of(address("10.0.0.1")).empty());
}

TEST(hosts_file, what_is_malformed_is_skipped) {
  const auto hosts = hosts_file::parse(
      "10.0.0 short\n"
      "name 10.0.0.1\n"
      "fe80::1%eth0 scoped\n"
      "10.0.0.5 bad..name sp/ash good\n"
      "10.0.0.6\n" +
      std::string("10.0.0.7 nul\0byte next\n", 23) + std::string(100'000, 'x') + "\n10.0.0.8 after");
  for (const auto* none : {"short", "scoped", "name"}) EXPECT_TRUE(hosts.addresses_of(named(none)).empty()) << none;
  EXPECT_EQ(hosts.addresses_of(named("good")), addresses{address("10.0.0.5")});
  EXPECT_EQ(hosts.names_of(address("10.0.0.5")), std::vector{named("good")});
  EXPECT_EQ(hosts.addresses_of(named("after")), addresses{address("10.0.0.8")});
}

TEST(hosts_file, a_line_given_twice_counts_once) {
  const auto hosts = hosts_file::parse("10.0.0.1 a\n10.0.0.1 a\n10.0.0.1 b a\n");
  EXPECT_EQ(hosts.addresses_of(named("a")), addresses{address("10.0.0.1")});
  EXPECT_EQ(hosts.names_of(address("10.0.0.1")), (std::vector{named("a"), named("b")}));
}

TEST(hosts_file, its_size_has_bounds) {
  std::string text;
  for (std::size_t i = 0; i < hosts_file::most_names + 10; ++i) text += "10.0.0.1 n" + std::to_string(i) + "\n";
  const auto many = hosts_file::parse(text);
  EXPECT_FALSE(many.addresses_of(named("n" + std::to_string(hosts_file::most_names - 1))).empty());
  EXPECT_TRUE(many.addresses_of(named("n" + std::to_string(hosts_file::most_names))).empty());

  EXPECT_EQ(many.names_of(address("10.0.0.1")).size(), hosts_file::most_of_one);

  const std::string first = "10.0.0.1 first\n";
  const auto large = hosts_file::parse(first + std::string(hosts_file::most_bytes, '#') + "\n10.0.0.2 behind\n");
  EXPECT_FALSE(large.addresses_of(named("first")).empty());
  EXPECT_TRUE(large.addresses_of(named("behind")).empty());
  EXPECT_TRUE(hosts_file::parse(std::string(hosts_file::most_bytes + 1, 'x')).addresses_of(named("x")).empty());
}

}  // namespace
}  // namespace netstack::dns
