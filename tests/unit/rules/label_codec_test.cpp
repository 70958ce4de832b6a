#include <gmock/gmock.h>

#include "rules/rules_codec.hpp"
#include "tests/unit/rules/parsed.hpp"

namespace rules {
namespace {

using testing::ElementsAre;
using testing::Optional;
using testing::SizeIs;

auto parse_80(std::string_view value) { return parse_label("guestagent.ports.80/tcp", value, known); }

TEST(label_codec, the_key_names_a_port) {
  const auto label = parse_label("guestagent.ports.8080/udp", "ignore: true", known);
  ASSERT_TRUE(label);
  EXPECT_EQ(*label, (port_label{net::protocol::udp, 8080, {.ignore = true, .note = {}}}));
}

TEST(label_codec, another_key_is_refused) {
  for (const auto* key : {"guestagent.ports.", "guestagent.ports.80", "guestagent.ports.80/", "guestagent.ports.0/tcp",
                          "guestagent.ports.080/tcp", "guestagent.ports.80/sctp", "guestagent.ports.80/TCP",
                          "guestagent.ports.80-81/tcp", "guestagent.ports.65536/tcp", "guestagent.ports.80/tcp/x"}) {
    const auto label = parse_label(key, "ignore: true", known);
    ASSERT_FALSE(label) << key;
    EXPECT_EQ(label.error().front(),
              (problem{{1, 1}, "the key does not end with a port", "write it like guestagent.ports.8080/tcp"}));
  }
}

TEST(label_codec, the_braces_may_be_left_out) {
  for (const auto* value : {"host-port: 8080, host-address: loopback, peers: [loopback]",
                            "{host-port: 8080, host-address: loopback, peers: [loopback]}",
                            "  {host-port: 8080, host-address: loopback, peers: [loopback]}  ",
                            "host-port: 8080, host-address: loopback, peers: loopback # why"}) {
    const auto label = parse_80(value);
    ASSERT_TRUE(label) << value << ": " << to_string(label.error().front());
    EXPECT_THAT(label->then.host_port, Optional(host_port(std::uint16_t{8080}))) << value;
    EXPECT_THAT(label->then.host_address, Optional(ip("127.0.0.1"))) << value;
    EXPECT_THAT(label->then.peers, Optional(ElementsAre("loopback"))) << value;
  }
  EXPECT_EQ(parse_80("").value().then, actions{});
}

TEST(label_codec, a_value_is_one_of_a_single_port) {
  EXPECT_THAT(parse_80("host-port: +1000").value().then.host_port, Optional(host_port(port_offset{1000})));
  EXPECT_FALSE(parse_80("host-port: 9000-9009"));
  EXPECT_FALSE(parse_80("host-port: -80"));
}

TEST(label_codec, errors_have_their_place_in_the_value) {
  struct row {
    const char* value;
    problem expected;
  };
  for (const auto& [value, expected] : std::vector<row>{
           {"host-prot: 80", {{1, 1}, "unknown key \"host-prot\"", "did you mean host-port?"}},
           {"{host-prot: 80}", {{1, 2}, "unknown key \"host-prot\"", "did you mean host-port?"}},
           {"ignore: true, host-port: 80",
            {{1, 15}, "host-port has no effect on an ignored port", "remove it, or the key ignore"}},
           {"port: 80", {{1, 1}, "\"port\" is not an action", "a label gives actions for its own port alone"}},
           {"peers: vm", {{1, 8}, "\"vm\" is not known here", "there are host-switch, wsl-proxy, loopback"}},
       }) {
    const auto label = parse_80(value);
    ASSERT_FALSE(label) << value;
    EXPECT_THAT(label.error(), ElementsAre(expected)) << value;
  }
}

TEST(label_codec, hostile_values_are_refused) {
  for (const auto& value : std::vector<std::string>{"}{", "} , {", "}\n---\n{", "[", "&a {}", "a", "- a", "\xff",
                                                    "{{{{{{{{{{", "x: 1}", std::string(longest_label + 1, ' ')})
    EXPECT_FALSE(parse_80(value)) << value;
  EXPECT_TRUE(parse_80(std::string(longest_label, ' ')));
}

TEST(label_codec, all_errors_are_reported) {
  const auto label = parse_80("host-port: x, host-address: y, peers: z");
  ASSERT_FALSE(label);
  EXPECT_THAT(label.error(), SizeIs(3));
}

}  // namespace
}  // namespace rules
