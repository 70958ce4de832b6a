#include "rules/rules_codec.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/unit/rules/parsed.hpp"

namespace rules {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;
using testing::SizeIs;

TEST(rules_codec, reads_every_key) {
  const auto set = parse(R"(
rules:
  - port: 8000-8099
    protocol: tcp
    source: [docker, kubernetes]
    address: [127.0.0.2, wildcard, loopback]
    name: "web-*"
    label: [tier=front*, app]
    namespace: "kube-*"
    image: "nginx:*"
    host-address: 0.0.0.0
    host-port: 9000-9099
    peers: [host-switch]
    note: "why"
  - ignore: true
)")
                       .rules;
  ASSERT_THAT(set->rules(), SizeIs(2));
  const auto& [when, then] = set->rules()[0];
  EXPECT_THAT(when.ports, Optional(port_range{8000, 8099}));
  EXPECT_THAT(when.protocol, Optional(net::protocol::tcp));
  EXPECT_THAT(when.sources, ElementsAre("docker", "kubernetes"));
  using kind = address_pattern::kind;
  EXPECT_THAT(when.addresses, ElementsAre(address_pattern{kind::exact, ip("127.0.0.2")},
                                          address_pattern{kind::wildcard}, address_pattern{kind::loopback}));
  EXPECT_THAT(when.names, ElementsAre(glob::parse("web-*").value()));
  EXPECT_THAT(when.labels, ElementsAre(label_pattern{"tier", glob::parse("front*").value()}, label_pattern{"app"}));
  EXPECT_THAT(when.namespaces, ElementsAre(glob::parse("kube-*").value()));
  EXPECT_THAT(when.images, ElementsAre(glob::parse("nginx:*").value()));
  EXPECT_FALSE(then.ignore);
  EXPECT_THAT(then.host_address, Optional(ip("0.0.0.0")));
  EXPECT_THAT(then.host_port, Optional(host_port(port_range{9000, 9099})));
  EXPECT_THAT(then.peers, Optional(ElementsAre("host-switch")));
  EXPECT_EQ(then.note, "why");
  EXPECT_EQ(set->rules()[1], (rule{{}, {.ignore = true, .note = {}}}));
  EXPECT_EQ(set->line(0), 3U);
  EXPECT_EQ(set->line(1), 15U);
}

TEST(rules_codec, an_empty_file_is_an_empty_set) {
  for (const auto* text : {"", "\xef\xbb\xbf", "# nothing\n", "---\n", "{}", "rules:\n", "rules: []\n", "rules: ~"})
    EXPECT_THAT(parse(text).rules->rules(), IsEmpty()) << text;
}

TEST(rules_codec, a_byte_order_mark_is_no_part_of_the_text) {
  EXPECT_THAT(parse("\xef\xbb\xbfrules: [{port: 80}]").rules->rules(), SizeIs(1));
  EXPECT_EQ(parse_rules("\xef\xbb\xbfrules: [{prot: 80}]", known).error().at(0).at, (position{1, 10}));
}

TEST(rules_codec, quotes_make_no_difference) {
  EXPECT_EQ(parse_one("{port: \"80\", 'ignore': 'true'}"), parse_one("{port: 80, ignore: true}"));
}

TEST(rules_codec, host_ports_have_three_forms) {
  const auto to = [](std::string_view flow) { return parse_one(flow).then.host_port.value(); };
  EXPECT_EQ(to("{port: 80, host-port: 8080}"), host_port(std::uint16_t{8080}));
  EXPECT_EQ(to("{port: 80, host-port: 8080-8080}"), host_port(std::uint16_t{8080}));
  EXPECT_EQ(to("{port: 80-80, host-port: 8080}"), host_port(std::uint16_t{8080}));
  EXPECT_EQ(to("{port: 80-81, host-port: 8080-8081}"), host_port(port_range{8080, 8081}));
  EXPECT_EQ(to("{host-port: +1000}"), host_port(port_offset{1000}));
  EXPECT_EQ(to("{host-port: '-1000'}"), host_port(port_offset{-1000}));
  EXPECT_EQ(to("{port: 1-64535, host-port: +1000}"), host_port(port_offset{1000}));
}

TEST(rules_codec, warns_of_a_rule_that_never_matches) {
  const auto parsed = parse("rules:\n  - port: 80-90\n  - {port: 85, name: web}\n  - port: 91\n");
  EXPECT_THAT(parsed.warnings,
              ElementsAre(problem{{3, 5}, "rule 2 never matches", "rule 1 on line 2 matches all that it matches"}));
}

TEST(rules_codec, does_not_warn_where_it_is_not_certain) {
  EXPECT_THAT(parse("rules: [{port: 80-90}, {port: 85-95}, {name: 'a*'}, {name: '*a'}]").warnings, IsEmpty());
  // Together they cover the third, but neither does alone.
  EXPECT_THAT(parse("rules: [{protocol: tcp}, {protocol: udp}, {port: 80}]").warnings, IsEmpty());
}

TEST(rules_codec, warnings_are_bounded) {
  std::string text = "rules:\n";
  for (int i = 0; i < 100; ++i) text += "  - ignore: true\n";
  EXPECT_THAT(parse(text).warnings, SizeIs(problem_list::most));
}

TEST(rules_codec, five_hundred_rules_may_have_nothing_to_look_for) {
  std::string text = "rules:\n  - port: 1\n";
  for (std::size_t i = 0; i < most_loose; ++i) text += fmt::format("  - name: '[a-z]{}'\n", std::string(i % 200, '?'));
  EXPECT_THAT(parse(text).rules->loose(), SizeIs(most_loose));
  const auto refused = parse_rules(text + "  - {protocol: udp}\n", known);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(),
              ElementsAre(problem{{503, 5},
                                  "more than 500 rules can only be compared one by one",
                                  "give each a port, or a pattern with letters in a row that few others have"}));
}

TEST(rules_codec, ten_thousand_rules_are_the_most) {
  std::string text = "rules:\n";
  for (std::size_t i = 0; i < most_rules; ++i) text += fmt::format("  - port: {}\n", i + 1);
  EXPECT_THAT(parse(text).rules->rules(), SizeIs(most_rules));
  const auto refused = parse_rules(text + "  - port: 1\n", known);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(),
              ElementsAre(problem{{2, 3}, "there are more than 10000 rules", "use ranges and patterns"}));
}

}  // namespace
}  // namespace rules
