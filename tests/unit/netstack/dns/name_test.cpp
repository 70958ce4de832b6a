#include "netstack/dns/name.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/dns/messages.hpp"

namespace netstack::dns {
namespace {

TEST(dns_name, any_case_is_one_name) {
  EXPECT_EQ(name::parse(name_bytes("HoSt.Docker.INTERNAL")), named("host.docker.internal"));
  EXPECT_EQ(named("host.docker.internal."), named("HOST.docker.internal"));
  EXPECT_EQ(name::parse(bytes{0}), name());
  EXPECT_TRUE(name().is_root());
}

TEST(dns_name, what_follows_the_name_is_not_read) {
  auto more = name_bytes("a.b");
  more.push_back(0xff);
  EXPECT_EQ(name::parse(more)->size(), 5U);
}

TEST(dns_name, malformed_names_and_loops_are_refused) {
  EXPECT_FALSE(name::parse({}));
  EXPECT_FALSE(name::parse(bytes{3, 'a', 'b'}));         // a label beyond the end
  EXPECT_FALSE(name::parse(bytes{1, 'a'}));              // no end
  EXPECT_FALSE(name::parse(bytes{0xc0, 0x00}));          // a pointer, here to itself
  EXPECT_FALSE(name::parse(bytes{1, 'a', 0xc0, 0x00}));  // a loop
  EXPECT_FALSE(name::parse(bytes{0x40, 0, 0}));          // a type of label that does not exist
  EXPECT_FALSE(name::parse(bytes(1'000, 1)));            // no end within 255 bytes
  EXPECT_FALSE(name::parse(bytes{64, 0}));
}

TEST(dns_name, sizes_up_to_255_bytes) {
  std::string longest;
  for (int i = 0; i < 126; ++i) longest += "a.";
  EXPECT_EQ(named(longest + "b").size(), 255U);
  EXPECT_TRUE(name::parse(name_bytes(longest + "b")));
  EXPECT_FALSE(name::from_text(longest + "bb"));
  EXPECT_FALSE(name::parse(name_bytes(longest + "bb")));
  EXPECT_TRUE(name::from_text(std::string(63, 'a')));
  EXPECT_FALSE(name::from_text(std::string(64, 'a')));
}

TEST(dns_name, invalid_texts_are_refused) {
  for (const auto* wrong : {"", ".", "..", "a..b", ".a", "a b", "a/b", "*.a", "a.."})
    EXPECT_FALSE(name::from_text(wrong)) << wrong;
}

TEST(dns_name, within_a_zone_by_whole_labels) {
  const auto zone = named("docker.internal");
  EXPECT_TRUE(named("docker.internal").is_within(zone));
  EXPECT_TRUE(named("a.b.docker.internal").is_within(zone));
  EXPECT_TRUE(zone.is_within(name()));
  EXPECT_FALSE(named("notdocker.internal").is_within(zone));
  EXPECT_FALSE(named("internal").is_within(zone));
  EXPECT_FALSE(named("docker.internal.example").is_within(zone));
  // The bytes of a label that look like the labels of the zone.
  const auto trick = name::parse(bytes{5, 'x', 3, 'o', 'r', 'g', 0});
  EXPECT_TRUE(trick);
  EXPECT_FALSE(trick->is_within(named("org")));
}

TEST(dns_name, reverse_names_mean_addresses) {
  EXPECT_EQ(named("2.127.168.192.in-addr.arpa").reverse_address(), net::address::v4(192, 168, 127, 2));
  EXPECT_EQ(named("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.IP6.arpa").reverse_address(),
            net::address::loopback_v6());
  for (const auto* wrong : {"127.168.192.in-addr.arpa", "1.2.127.168.192.in-addr.arpa", "256.0.0.1.in-addr.arpa",
                            "x.0.0.1.in-addr.arpa", "in-addr.arpa", "1.0.0.127.in-addr.arpa.org", "1.ip6.arpa", "arpa"})
    EXPECT_FALSE(named(wrong).reverse_address()) << wrong;
  EXPECT_FALSE(name().reverse_address());
}

}  // namespace
}  // namespace netstack::dns
