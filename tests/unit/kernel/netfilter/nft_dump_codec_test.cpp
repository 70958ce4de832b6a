#include "kernel/netfilter/nft_dump_codec.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tests/unit/kernel/netfilter/captured.hpp"
#include "tests/unit/kernel/netfilter/rule_text.hpp"

namespace netfilter {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

rules_dump parse(std::span<const std::byte> datagram, family which = family::ipv4) {
  rules_dump found;
  parse_rules(datagram, which, found);
  return found;
}
std::vector<std::string> rules_of(const std::string& name, family which = family::ipv4) {
  const auto found = parse(captured("nft_rules/" + name), which);
  return to_text(found.rules);
}

TEST(nft_dump_codec, the_dispatch_chain_jumps_to_the_containers) {
  EXPECT_THAT(rules_of("dispatch4"), testing::Contains(HasSubstr("to CNI-DN-8dce0f74c98471aea3053 \"dnat name: "
                                                                 "\"bridge\" id: \"default-web\"")));
}

TEST(nft_dump_codec, rules_of_iptables) {
  EXPECT_THAT(rules_of("container4"), ElementsAre("tcp 127.0.0.1:8080 -> 10.4.0.7:80", "udp *:8081 -> 10.4.0.7:81",
                                                  "sctp *:8083 -> 10.4.0.7:83",
                                                  "tcp *:8080 -> 10.4.0.7:80 \"rancher-desktop-guestagent:web\""));
  EXPECT_THAT(
      rules_of("container6", family::ipv6),
      ElementsAre("udp *:8081 -> [fd00:4::7]:81", "sctp *:8083 -> [fd00:4::7]:83", "tcp ::1:8084 -> [fd00:4::7]:84"));
}

TEST(nft_dump_codec, rules_of_the_plugins_nftables_backend) {
  EXPECT_THAT(rules_of("hostports4"),
              ElementsAre("tcp *:8080 -> 10.4.0.7:80 \"default-web\"", "udp *:8082 -> 10.4.0.7:82 \"default-web\"",
                          "sctp *:8083 -> 10.4.0.7:83 \"default-web\""));
  EXPECT_THAT(rules_of("hostports6", family::ipv6), ElementsAre("tcp *:8080 -> [fd00:4::7]:80 \"default-web\""));
  EXPECT_THAT(rules_of("hostip_hostports6", family::ipv6),
              ElementsAre("tcp ::1:8081 -> [fd00:4::7]:81 \"default-web\""));
}

TEST(nft_dump_codec, what_is_not_one_port_of_one_address_is_unclear) {
  EXPECT_THAT(
      rules_of("odd"),
      ElementsAre("tcp *:0 -> 10.4.0.8:80 ? the match multiport",
                  "tcp *:3 -> 10.4.0.8:80 ? a comparison other than equality",
                  "tcp *:4 -> 10.4.0.8:80 ? an unknown condition", "tcp *:0 -> 10.4.0.8:80 ? the expression range",
                  "tcp *:7 -> 10.4.0.8:0 ? a range of targets", "tcp *:8 -> 10.4.0.8:80 ? a range of targets",
                  "tcp *:9 -> 10.4.0.8:80 ? an unknown condition", "tcp *:10 -> 10.4.0.8:80 ? an unknown condition",
                  "any *:0 -> 10.4.0.8:0 ? a protocol without ports", "any *:0 -> 10.4.0.8:0",
                  "tcp *:0 -> 10.4.0.8:80 ? an unknown condition", "tcp *:12 -> 10.4.0.8:0"));
  EXPECT_THAT(rules_of("hostip_hostports4"),
              ElementsAre("udp 127.0.0.1:8081 -> 10.4.0.7:81 \"default-web\"", HasSubstr("? the expression lookup"),
                          HasSubstr("? an unknown condition"), EndsWith("? a range of targets"),
                          EndsWith("? a comparison other than equality"), HasSubstr("? "), "tcp *:8 -> 10.4.0.7:0"));
}

TEST(nft_dump_codec, a_request_names_table_and_chain) {
  const auto request = rules_request({family::ipv4, "nat", "CNI-DN-x"});
  const std::string_view text(reinterpret_cast<const char*>(request.data()), request.size());
  EXPECT_THAT(text, HasSubstr(std::string_view("nat\0", 4)));
  EXPECT_THAT(text, HasSubstr(std::string_view("CNI-DN-x\0", 9)));
  EXPECT_EQ(request.size() % 4, 0);
}

TEST(nft_dump_codec, each_rule_has_a_handle) {
  const auto found = parse(captured("nft_rules/container4"));
  ASSERT_EQ(found.handles.size(), found.rules.size());
  EXPECT_EQ(std::set<std::uint64_t>(found.handles.begin(), found.handles.end()).size(), found.rules.size());
  EXPECT_THAT(found.handles, testing::Not(testing::Contains(0)));
}

TEST(nft_dump_codec, cut_answers_harm_nothing) {
  const auto whole = captured("nft_rules/container4");
  const auto all = to_text(parse(whole).rules);
  ASSERT_THAT(all, testing::Not(IsEmpty()));
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    const auto found = to_text(parse(std::span(whole).first(size)).rules);
    ASSERT_LE(found.size(), all.size());
    EXPECT_TRUE(std::ranges::equal(found, std::span(all).first(found.size()))) << size;
  }
}

}  // namespace
}  // namespace netfilter
