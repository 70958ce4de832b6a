#include "kernel/netfilter/legacy_codec.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>

// Behind <netinet/in.h>, which it otherwise contradicts.
#include <linux/netfilter_ipv4/ip_tables.h>

#include <array>

#include "tests/unit/kernel/netfilter/captured.hpp"
#include "tests/unit/kernel/netfilter/rule_text.hpp"

namespace netfilter {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::array<std::string_view, 2> cni{"CNI-HOSTPORT-DNAT", "CNI-DN-"};
constexpr const char* container = "CNI-DN-8dce0f74c98471aea3053";

std::vector<std::string> rules_of(const std::string& file, family which, std::string_view chain) {
  const auto chains = parse_legacy_table(captured("legacy_table/" + file), which, cni);
  EXPECT_TRUE(chains) << chains.error().message();
  for (const auto& c : *chains)
    if (c.name == chain) return to_text(c.rules);
  return {"no such chain"};
}

TEST(legacy_codec, only_the_chains_that_are_asked_for) {
  std::vector<std::string> names;
  const auto chains = parse_legacy_table(captured("legacy_table/ipv4"), family::ipv4, cni);
  for (const auto& c : *chains) names.push_back(c.name);
  EXPECT_THAT(names, UnorderedElementsAre("CNI-HOSTPORT-DNAT", container, "CNI-DN-odd"));
}

TEST(legacy_codec, the_dispatch_chain_jumps_to_the_containers) {
  EXPECT_THAT(
      rules_of("ipv4", family::ipv4, "CNI-HOSTPORT-DNAT"),
      testing::Contains(HasSubstr(std::string("to ") + container + " \"dnat name: \"bridge\" id: \"default-web")));
  EXPECT_THAT(rules_of("ipv4", family::ipv4, "CNI-HOSTPORT-DNAT"), testing::Contains("tcp *:0 to CNI-DN-odd"));
}

TEST(legacy_codec, rules_of_a_container) {
  EXPECT_THAT(
      rules_of("ipv4", family::ipv4, container),
      ElementsAre("tcp 127.0.0.1:8080 -> 10.4.0.7:80", "udp *:8081 -> 10.4.0.7:81", "sctp *:8083 -> 10.4.0.7:83",
                  "tcp *:8080 -> 10.4.0.7:80 \"rancher-desktop-guestagent:web\""));
  EXPECT_THAT(
      rules_of("ipv6", family::ipv6, container),
      ElementsAre("udp *:8081 -> [fd00:4::7]:81", "sctp *:8083 -> [fd00:4::7]:83", "tcp ::1:8084 -> [fd00:4::7]:84"));
}

TEST(legacy_codec, what_is_not_one_port_of_one_address_is_unclear) {
  EXPECT_THAT(rules_of("ipv4", family::ipv4, "CNI-DN-odd"),
              ElementsAre("tcp *:0 -> 10.4.0.8:80 ? the match multiport", "tcp 10.0.0.1:3 -> 10.4.0.8:80 ? a negation",
                          "tcp *:4 -> 10.4.0.8:80 ? a destination network", "tcp *:0 -> 10.4.0.8:80 ? a range of ports",
                          "tcp *:7 -> 10.4.0.8:0 ? a range of targets", "tcp *:8 -> 10.4.0.8:80 ? a range of targets",
                          "tcp *:9 -> 10.4.0.8:80 ? a source address", "tcp *:10 -> 10.4.0.8:80 ? an interface",
                          "any *:0 -> 10.4.0.8:0 ? a protocol without ports", "any *:0 -> 10.4.0.8:0",
                          "tcp *:11 -> 10.4.0.8:80 ? a source port", "tcp *:12 -> 10.4.0.8:0"));
}

TEST(legacy_codec, a_damaged_table_is_an_error_and_never_an_empty_one) {
  const auto whole = captured("legacy_table/ipv4");
  for (const std::size_t cut : {1U, 100U, 5'000U})
    EXPECT_FALSE(parse_legacy_table(std::span(whole).first(whole.size() - cut), family::ipv4, cni)) << cut;
  auto bent = whole;
  bent[offsetof(ipt_entry, next_offset)] = std::byte{1};
  EXPECT_FALSE(parse_legacy_table(bent, family::ipv4, cni));
  EXPECT_TRUE(parse_legacy_table({}, family::ipv4, cni)->empty());
}

TEST(legacy_codec, the_fingerprint_sees_rules_and_no_counters) {
  auto table = captured("legacy_table/ipv4");
  const auto before = fingerprint_legacy_table(table, family::ipv4);
  table[offsetof(ipt_entry, counters)] = std::byte{7};
  table[offsetof(ipt_entry, comefrom)] = std::byte{7};
  EXPECT_EQ(fingerprint_legacy_table(table, family::ipv4), before);
  table[offsetof(ipt_entry, ip)] = std::byte{7};
  EXPECT_NE(fingerprint_legacy_table(table, family::ipv4), before);
}

}  // namespace
}  // namespace netfilter
