#include "netstack/dns/zones.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netstack/dns/messages.hpp"

namespace netstack::dns {
namespace {

constexpr ipv4::address host{0xc0a87ffe};

zones built_in() { return {gateway, host}; }

std::vector<ipv4::address> addresses(const zones& z, std::string_view text) {
  const auto found = z.find(named(text));
  if (!found) return {};
  return {found->addresses.begin(), found->addresses.end()};
}

TEST(dns_zones, both_zones_have_gateway_and_host) {
  const auto z = built_in();
  for (const std::string zone : {"rancher-desktop.internal", "docker.internal"}) {
    EXPECT_EQ(addresses(z, "gateway." + zone), std::vector{gateway});
    EXPECT_EQ(addresses(z, "HOST." + zone), std::vector{host});
    EXPECT_TRUE(z.find(named(zone))->exists);
    EXPECT_FALSE(z.find(named("other." + zone))->exists);
    EXPECT_FALSE(z.find(named("below.host." + zone))->exists);
    EXPECT_EQ(*z.find(named("other." + zone))->zone, named(zone));
  }
  EXPECT_FALSE(z.find(named("example.org")));
  EXPECT_FALSE(z.find(named("internal")));
  EXPECT_FALSE(zones(gateway, std::nullopt).find(named("host.docker.internal"))->exists);
}

TEST(dns_zones, a_name_is_added_to_a_zone_that_exists) {
  auto z = built_in();
  EXPECT_TRUE(z.add("a.registry.docker.internal=10.0.0.7"));
  EXPECT_TRUE(z.add("A.registry.docker.internal.=10.0.0.8"));
  EXPECT_EQ(addresses(z, "a.registry.docker.internal"), (std::vector<ipv4::address>{{0x0a000007}, {0x0a000008}}));
  // Names exist below it, so it exists (RFC 8020).
  EXPECT_TRUE(z.find(named("registry.docker.internal"))->exists);
  EXPECT_TRUE(addresses(z, "registry.docker.internal").empty());
}

TEST(dns_zones, another_name_is_a_zone_of_its_own) {
  auto z = built_in();
  EXPECT_TRUE(z.add("printer.example.com=10.0.0.7"));
  EXPECT_EQ(addresses(z, "printer.example.com"), std::vector{ipv4::address{0x0a000007}});
  EXPECT_FALSE(z.find(named("a.printer.example.com"))->exists);
  EXPECT_FALSE(z.find(named("other.example.com")));
  EXPECT_FALSE(z.find(named("example.com")));
}

TEST(dns_zones, a_star_matches_each_other_name) {
  auto z = built_in();
  EXPECT_TRUE(z.add("*.dev.example=10.0.0.7"));
  EXPECT_TRUE(z.add("db.dev.example=10.0.0.8"));
  EXPECT_EQ(addresses(z, "any.dev.example"), std::vector{ipv4::address{0x0a000007}});
  EXPECT_EQ(addresses(z, "a.b.dev.example"), std::vector{ipv4::address{0x0a000007}});
  EXPECT_EQ(addresses(z, "db.dev.example"), std::vector{ipv4::address{0x0a000008}});
  EXPECT_TRUE(addresses(z, "dev.example").empty());
  EXPECT_FALSE(z.find(named("example")));
}

TEST(dns_zones, the_inner_zone_counts) {
  auto z = built_in();
  EXPECT_TRUE(z.add("*.example=10.0.0.1"));
  EXPECT_TRUE(z.add("*.inner.example=10.0.0.2"));
  EXPECT_EQ(addresses(z, "a.inner.example"), std::vector{ipv4::address{0x0a000002}});
  EXPECT_EQ(addresses(z, "a.outer.example"), std::vector{ipv4::address{0x0a000001}});
}

TEST(dns_zones, invalid_texts_are_refused) {
  auto z = built_in();
  for (const auto* wrong : {"", "=", "a.b", "a.b=", "=10.0.0.1", "a.b=x", "a.b=::1", ".=10.0.0.1", "*.=10.0.0.1",
                            "*=10.0.0.1", "a b=10.0.0.1", "a.*.b=10.0.0.1", "a=10.0.0.1=b"})
    EXPECT_FALSE(z.add(wrong)) << wrong;
}

}  // namespace
}  // namespace netstack::dns
