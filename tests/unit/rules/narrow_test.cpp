#include <gmock/gmock.h>

#include "rules/decision.hpp"
#include "tests/unit/rules/parsed.hpp"

namespace rules {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;

actions label_of(std::string_view value) {
  auto parsed = parse_label("guestagent.ports.80/tcp", value, known);
  if (parsed) return parsed->then;
  ADD_FAILURE() << value << ": " << to_string(parsed.error().front());
  return {};
}

// Of port 80 at this address, by rules and one label.
narrowed narrow_by(std::string_view rule, std::string_view label, std::string_view address = "0.0.0.0") {
  const subject s{.source = "docker", .address = ip(address), .port = 80};
  const auto set = parse("rules: [" + std::string(rule) + "]").rules;
  return narrow(*set, decide(*set, s), label_of(label), s);
}

TEST(narrow, a_label_without_actions_changes_nothing) {
  const auto n = narrow_by("{port: 80, host-port: 8080, peers: loopback}", "note: mine");
  EXPECT_EQ(n.result.host_port, 8080);
  EXPECT_THAT(n.result.peers, Optional(ElementsAre("loopback")));
  EXPECT_THAT(n.refusals, IsEmpty());
}

TEST(narrow, an_ignored_port_stays_ignored) {
  const auto n = narrow_by("{ignore: true, note: private}", "host-address: 127.0.0.1");
  EXPECT_TRUE(n.result.ignore);
  EXPECT_EQ(n.result.host_address, std::nullopt);
  EXPECT_EQ(n.result.reason.str(), "rule 1 (line 1): private");
  EXPECT_THAT(n.refusals, ElementsAre("the port is ignored: rule 1 (line 1): private"));
  EXPECT_THAT(narrow_by("{ignore: true}", "ignore: true").refusals, IsEmpty());
  EXPECT_TRUE(narrow_by("{ignore: true}", "ignore: false").result.ignore);
}

TEST(narrow, a_label_may_ignore_its_port) {
  const auto n = narrow_by("{port: 80, host-port: 8080}", "{ignore: true, note: for tests}");
  EXPECT_TRUE(n.result.ignore);
  EXPECT_EQ(n.result.reason.str(), "ignored by a label of the container: for tests");
  EXPECT_EQ(narrow_by("{}", "ignore: true").result.reason.str(), "ignored by a label of the container");
}

TEST(narrow, an_address_by_the_table) {
  struct row {
    const char *rule, *published, *wanted;
    const char* result;  // nullptr: the rule's, or as published
    bool refused;
  };
  for (const auto& [rule, published, wanted, result, refused] : std::vector<row>{
           {"{}", "0.0.0.0", "127.0.0.1", "127.0.0.1", false},
           {"{}", "::", "10.0.0.1", "10.0.0.1", false},
           {"{}", "0.0.0.0", "wildcard", nullptr, false},
           {"{}", "::", "wildcard", nullptr, false},
           {"{}", "127.0.0.1", "127.0.0.1", nullptr, false},
           {"{}", "::1", "loopback", nullptr, false},
           {"{}", "127.0.0.1", "wildcard", nullptr, true},
           {"{}", "127.0.0.1", "127.0.0.2", nullptr, true},
           {"{}", "10.0.0.1", "127.0.0.1", nullptr, true},
           {"{host-address: loopback}", "0.0.0.0", "wildcard", "127.0.0.1", true},
           {"{host-address: loopback}", "0.0.0.0", "10.0.0.1", "127.0.0.1", true},
           {"{host-address: loopback}", "0.0.0.0", "loopback", "127.0.0.1", false},
           {"{host-address: 10.0.0.1}", "0.0.0.0", "10.0.0.1", "10.0.0.1", false},
           {"{host-address: wildcard}", "127.0.0.1", "10.0.0.1", "10.0.0.1", false},
       }) {
    const auto n = narrow_by(rule, "host-address: " + std::string(wanted), published);
    const auto where = std::string(rule) + ", " + published + ", " + wanted;
    EXPECT_EQ(n.result.host_address, result == nullptr ? std::nullopt : std::optional(ip(result))) << where;
    EXPECT_EQ(!n.refusals.empty(), refused) << where;
  }
}

TEST(narrow, an_address_is_refused_with_the_reason) {
  EXPECT_THAT(narrow_by("{host-address: loopback}", "host-address: wildcard").refusals,
              ElementsAre("host-address 0.0.0.0: the port is on 127.0.0.1, and a label cannot widen or move that"));
}

TEST(narrow, the_host_port_is_the_labels_unless_a_rule_has_one) {
  EXPECT_EQ(narrow_by("{port: 80}", "host-port: 8080").result.host_port, 8080);
  EXPECT_EQ(narrow_by("{port: 80}", "host-port: +1000").result.host_port, 1080);
  const auto n = narrow_by("{port: 80, host-port: 8081}", "host-port: 8080");
  EXPECT_EQ(n.result.host_port, 8081);
  EXPECT_THAT(n.refusals, ElementsAre("host-port 8080: a rule made it 8081"));
  EXPECT_THAT(narrow_by("{port: 80, host-port: 8080}", "host-port: 8080").refusals, IsEmpty());
}

// Else a container would reach with a label what it does not reach by publishing the port there.
TEST(narrow, the_host_port_is_not_one_that_rules_close_move_or_limit) {
  struct row {
    const char *rules, *label;
    bool moves;
    const char* published = "0.0.0.0";
  };
  for (const auto& [rules, label, moves, published] : std::vector<row>{
           {"{port: 22, ignore: true}", "host-port: 22", false},
           {"{port: 80}, {ignore: true}", "host-port: 22", false},
           {"{port: 22, host-port: 2222}", "host-port: 22", false},
           {"{port: 22, protocol: udp, ignore: true}", "host-port: 22", true},
           {"{port: 22, source: containerd, ignore: true}", "host-port: 22", true},
           {"{port: 22, host-address: loopback}", "host-port: 22", false},
           {"{port: 22, host-address: loopback}", "{host-port: 22, host-address: loopback}", true},
           {"{port: 22, host-address: loopback}", "host-port: 22", true, "127.0.0.1"},
           {"{port: 22-80, host-address: loopback}", "host-port: 22", true},
           {"{port: 80, host-address: loopback}", "host-port: 22", true},
           {"{port: 22, peers: loopback}", "host-port: 22", false},
           {"{port: 22, peers: loopback}", "{host-port: 22, peers: [loopback, wsl-proxy]}", false},
           {"{port: 22, peers: [loopback, wsl-proxy]}", "{host-port: 22, peers: loopback}", true},
           {"{port: 80, ignore: false}, {port: 1-100, ignore: true}", "host-port: 80", true},
       }) {
    const auto n = narrow_by(rules, label, published);
    EXPECT_EQ(n.refusals.empty(), moves) << rules << ", " << label;
    if (!moves) EXPECT_EQ(n.result.host_port, 0) << rules << ", " << label;
  }
  EXPECT_THAT(narrow_by("{port: 22, ignore: true, note: the host's ssh}", "host-port: 22").refusals,
              ElementsAre("host-port 22: a label cannot move a port there: rule 1 (line 1): the host's ssh"));
}

TEST(narrow, a_label_for_another_port_does_not_move_this_one_out_of_the_range) {
  const subject s{.port = 80};
  const auto n = narrow({}, {}, {.host_port = port_offset{-80}}, s);
  EXPECT_EQ(n.result.host_port, 0);
  EXPECT_THAT(n.refusals, ElementsAre(HasSubstr("would leave the range")));
}

TEST(narrow, peers_are_those_of_both) {
  EXPECT_THAT(narrow_by("{}", "peers: [loopback, wsl-proxy]").result.peers,
              Optional(ElementsAre("loopback", "wsl-proxy")));
  const auto n = narrow_by("{peers: [host-switch, loopback]}", "peers: [loopback, wsl-proxy]");
  EXPECT_FALSE(n.result.ignore);
  EXPECT_THAT(n.result.peers, Optional(ElementsAre("loopback")));
  EXPECT_THAT(n.refusals, ElementsAre("peers: a rule leaves out wsl-proxy"));
}

TEST(narrow, without_a_common_peer_the_port_is_ignored) {
  const auto n = narrow_by("{peers: host-switch}", "peers: wsl-proxy");
  EXPECT_TRUE(n.result.ignore);
  EXPECT_THAT(n.result.peers, Optional(IsEmpty()));
  EXPECT_EQ(n.result.reason.str(), "a rule and a label of the container have no peer in common");
}

TEST(narrow, what_is_allowed_applies_beside_what_is_refused) {
  const auto n = narrow_by("{host-address: loopback}", "host-address: wildcard, host-port: 8080");
  EXPECT_THAT(n.result.host_address, Optional(ip("127.0.0.1")));
  EXPECT_EQ(n.result.host_port, 8080);
  EXPECT_THAT(n.refusals, testing::SizeIs(1));
}

}  // namespace
}  // namespace rules
