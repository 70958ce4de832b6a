#include <fmt/format.h>
#include <gmock/gmock.h>

#include "rules/rules_codec.hpp"
#include "tests/unit/rules/parsed.hpp"

namespace rules {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

std::vector<problem> errors_of(std::string_view text) {
  const auto parsed = parse_rules(text, known);
  return parsed ? std::vector<problem>{} : parsed.error();
}

struct row {
  const char* text;
  problem expected;
};

void check(const std::vector<row>& rows) {
  for (const auto& [text, expected] : rows) {
    const auto errors = errors_of(text);
    EXPECT_THAT(errors, ElementsAre(expected)) << text << (errors.empty() ? "" : "\n" + to_string(errors.front()));
  }
}

TEST(rules_errors, of_the_file) {
  check({
      {"- port: 80\n", {{1, 1}, "the file does not begin with rules:", "write rules: above the list"}},
      {"rules\n", {{1, 1}, "the file does not begin with rules:", "write rules: above the list"}},
      {"rule: []\n", {{1, 1}, "unknown key \"rule\"", "the file has the single key rules"}},
      {"rules: []\nversion: 1\n", {{2, 1}, "unknown key \"version\"", "the file has the single key rules"}},
      {"rules: {port: 80}\n", {{1, 8}, "rules is not a list", "begin each rule with a hyphen"}},
      {"rules: 80\n", {{1, 8}, "rules is not a list", "begin each rule with a hyphen"}},
      {"rules: []\nrules: []\n", {{2, 1}, "\"rules\" stands twice", "it is already on line 1"}},
      {"rules:\n  - 80\n", {{2, 5}, "a rule is a map of keys and values", "write it like {port: 80, ignore: true}"}},
      {"rules:\n  - []\n", {{2, 5}, "a rule is a map of keys and values", "write it like {port: 80, ignore: true}"}},
  });
}

TEST(rules_errors, of_keys) {
  constexpr auto all =
      "there are port, protocol, source, address, name, label, namespace, image, ignore, host-address, host-port, "
      "peers, note";
  check({
      {"rules:\n  - port: 80\n    prot: 1\n", {{3, 5}, "unknown key \"prot\"", "did you mean port?"}},
      {"rules: [{hostport: 1}]", {{1, 10}, "unknown key \"hostport\"", "did you mean host-port?"}},
      {"rules: [{guestIP: 1}]", {{1, 10}, "unknown key \"guestIP\"", "did you mean address?"}},
      {"rules: [{guestPortRange: 1}]", {{1, 10}, "unknown key \"guestPortRange\"", "did you mean port?"}},
      {"rules: [{hostIP: 1}]", {{1, 10}, "unknown key \"hostIP\"", "did you mean host-address?"}},
      {"rules: [{proto: 1}]", {{1, 10}, "unknown key \"proto\"", "did you mean protocol?"}},
      {"rules: [{colour: red}]", {{1, 10}, "unknown key \"colour\"", all}},
      {"rules: [{<<: 1}]", {{1, 10}, "unknown key \"<<\"", all}},
      {"rules: [{port: 80, name: x, port: 80}]", {{1, 29}, "\"port\" stands twice", "it is already on line 1"}},
  });
}

TEST(rules_errors, of_ports) {
  constexpr auto hint = "write a number from 1 to 65535, or two like 8000-8099";
  const auto is_none = [&](const char* text) {
    return problem{{1, 16}, fmt::format("\"{}\" is neither a port nor a range of ports", text), hint};
  };
  check({
      {"rules: [{port: 0}]", is_none("0")},
      {"rules: [{port: 65536}]", is_none("65536")},
      {"rules: [{port: http}]", is_none("http")},
      {"rules: [{port: 080}]", is_none("080")},
      {"rules: [{port: 80-}]", is_none("80-")},
      {"rules: [{port: -80}]", is_none("-80")},
      {"rules: [{port: 80-81-82}]", is_none("80-81-82")},
      {"rules: [{port: 80 - 81}]", is_none("80 - 81")},
      {"rules: [{port: 90-80}]", {{1, 16}, "the range ends before it begins", "write 80-90"}},
      {"rules: [{port: [80, 81]}]", {{1, 16}, "the value is a list or a map", "give a single value"}},
      {"rules: [{port: }]", {{1, 16}, "the value is empty", "give a value, or remove the key"}},
      {"rules:\n  - port: ''\n", {{2, 11}, "the value is empty", "give a value, or remove the key"}},
  });
}

TEST(rules_errors, of_host_ports) {
  constexpr auto size_hint = "give both ranges the same size, in port and in host-port";
  check({
      {"rules: [{port: 80-89, host-port: 8080}]",
       {{1, 34},
        "two ports cannot have one port of the host",
        "write a range of the same size, or an offset like +1000"}},
      {"rules: [{host-port: 8080}]",
       {{1, 21}, "two ports cannot have one port of the host", "add port, or write an offset like +1000"}},
      {"rules: [{port: 80-89, host-port: 90-98}]", {{1, 34}, "9 ports of the host for 10 ports", size_hint}},
      {"rules: [{port: 80, host-port: 90-98}]", {{1, 31}, "9 ports of the host for 1 ports", size_hint}},
      {"rules: [{host-port: 90-98}]", {{1, 21}, "9 ports of the host for 65535 ports", size_hint}},
      {"rules: [{port: 80, host-port: -80}]",
       {{1, 31}, "a port would leave the range 1 to 65535", "use a smaller offset"}},
      {"rules: [{port: 1-64536, host-port: +1000}]",
       {{1, 36}, "a port would leave the range 1 to 65535", "use a smaller offset"}},
      {"rules: [{port: 80, host-port: +0}]", {{1, 31}, "\"+0\" is not an offset", "write one like +1000 or -1000"}},
      {"rules: [{port: 80, host-port: +x}]", {{1, 31}, "\"+x\" is not an offset", "write one like +1000 or -1000"}},
      {"rules: [{port: 80, host-port: 0}]",
       {{1, 31},
        "\"0\" is neither a port nor a range of ports",
        "write a number from 1 to 65535, or two like 8000-8099"}},
  });
}

TEST(rules_errors, of_a_wrong_port_hide_no_range) {
  EXPECT_THAT(errors_of("rules: [{port: x, host-port: 8080}]"), SizeIs(1));
}

TEST(rules_errors, of_other_conditions) {
  constexpr auto address_hint = "write an IP address, wildcard or loopback";
  constexpr auto glob_hint = "write [*], [?] or [[] for the character itself";
  constexpr auto label_hint = "write a key, or key=value with a pattern for the value";
  check({
      {"rules: [{protocol: sctp}]", {{1, 20}, "sctp is never forwarded", "write tcp or udp"}},
      {"rules: [{protocol: any}]",
       {{1, 20}, "\"any\" is not a protocol", "write tcp or udp, or remove the key to mean both"}},
      {"rules: [{source: dokcer}]", {{1, 18}, "\"dokcer\" is not known here", "did you mean docker?"}},
      {"rules: [{source: [docker, x]}]",
       {{1, 27}, "\"x\" is not known here", "there are docker, containerd, kubernetes"}},
      {"rules: [{source: []}]", {{1, 18}, "the list is empty, so it matches nothing", "remove the key"}},
      {"rules: [{name: [[a]]}]", {{1, 17}, "the value is a list or a map", "give a single value"}},
      {"rules: [{address: localhost}]", {{1, 19}, "\"localhost\" is not an address", address_hint}},
      {"rules: [{address: 10.0.0.0/8}]", {{1, 19}, "\"10.0.0.0/8\" is not an address", address_hint}},
      {"rules: [{name: 'a[b'}]", {{1, 16}, "the pattern \"a[b\" has a [ without its ]", glob_hint}},
      {"rules: [{name: 'a\\*'}]", {{1, 16}, "the pattern \"a\\*\" has a backslash", glob_hint}},
      {"rules: [{label: '=x'}]", {{1, 17}, "\"=x\" is neither a label nor a label and its value", label_hint}},
      {"rules: [{label: x=}]", {{1, 17}, "\"x=\" is neither a label nor a label and its value", label_hint}},
      {"rules: [{label: 'x=[a'}]", {{1, 17}, "the pattern \"[a\" has a [ without its ]", glob_hint}},
  });
}

TEST(rules_errors, of_actions) {
  check({
      {"rules: [{ignore: yes}]", {{1, 18}, "\"yes\" is neither true nor false", "write true, or remove the key"}},
      {"rules: [{ignore: true, host-address: 1.2.3.4}]",
       {{1, 24}, "host-address has no effect on an ignored port", "remove it, or the key ignore"}},
      {"rules: [{port: 80, ignore: true, host-port: 81}]",
       {{1, 34}, "host-port has no effect on an ignored port", "remove it, or the key ignore"}},
      {"rules: [{peers: [loopback], ignore: true}]",
       {{1, 10}, "peers has no effect on an ignored port", "remove it, or the key ignore"}},
      {"rules: [{host-address: example.org}]",
       {{1, 24}, "\"example.org\" is not an address", "write an IP address, wildcard or loopback"}},
      {"rules: [{peers: hostswitch}]", {{1, 17}, "\"hostswitch\" is not known here", "did you mean host-switch?"}},
      {"rules: [{note: \"a\\tb\"}]",
       {{1, 16}, "the value has a line break or another control character", "write it on one line"}},
  });
  EXPECT_THAT(errors_of("rules: [{note: " + std::string(1025, 'x') + "}]"),
              ElementsAre(problem{{1, 16}, "the note is longer than 1024 bytes", ""}));
}

TEST(rules_errors, of_long_lists) {
  std::string list;
  for (int i = 0; i < 257; ++i) list += "a,";
  EXPECT_THAT(errors_of("rules: [{name: [" + list + "]}]"),
              ElementsAre(problem{{1, 16}, "the list has more than 256 values", "use a pattern, or two rules"}));
}

TEST(rules_errors, count_characters) {
  EXPECT_THAT(errors_of("rules:\n  - {note: \"für alle\", prot: 80}\n"),
              ElementsAre(problem{{2, 24}, "unknown key \"prot\"", "did you mean port?"}));
}

TEST(rules_errors, are_all_reported_in_the_order_of_the_file) {
  std::vector<position> places;
  for (const auto& e : errors_of("rules:\n  - prot: 80\n  - {port: x, name: 'a['}\n  - {port: 80, port: 81}\n"))
    places.push_back(e.at);
  EXPECT_THAT(places, ElementsAre(position{2, 5}, position{3, 12}, position{3, 21}, position{4, 16}));
}

TEST(rules_errors, twenty_are_reported) {
  std::string text = "rules:\n";
  for (int i = 0; i < 100; ++i) text += "  - prot: 80\n";
  const auto errors = errors_of(text);
  ASSERT_THAT(errors, SizeIs(problem_list::most));
  EXPECT_EQ(errors.back().at, (position{21, 5}));
}

// What a person wrote is shown safely.
TEST(rules_errors, show_text_without_its_control_characters) {
  const auto errors = errors_of("rules: [{\"a\\x1b[2J\": 1}]");
  ASSERT_THAT(errors, SizeIs(2));
  EXPECT_THAT(errors, testing::Contains(testing::Field(&problem::text, "unknown key \"a\\x1b[2J\"")));
}

}  // namespace
}  // namespace rules
