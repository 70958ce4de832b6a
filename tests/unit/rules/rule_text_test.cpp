#include <gmock/gmock.h>

#include "rules/rules_codec.hpp"
#include "tests/unit/rules/parsed.hpp"
#include "tests/unit/rules/random_rules.hpp"

namespace rules {
namespace {

TEST(rule_text, is_one_line_of_yaml) {
  struct row {
    const char *written, *shown;
  };
  for (const auto& [written, shown] : std::vector<row>{
           {"{}", "{}"},
           {"{port: 80-80, host-port: 81-81}", "{port: 80, host-port: 81}"},
           {"{host-port: +1000, port: 8000-8099, protocol: udp}", "{port: 8000-8099, protocol: udp, host-port: +1000}"},
           {"{host-port: -5}", "{host-port: -5}"},
           {"{address: [wildcard, '::1'], name: web-*}", R"({address: [wildcard, "::1"], name: "web-*"})"},
           {"{label: [tier, app=x], namespace: n, image: i}",
            R"({label: ["tier", "app=x"], namespace: "n", image: "i"})"},
           {"{host-address: wildcard, peers: [loopback]}", R"({host-address: "0.0.0.0", peers: "loopback"})"},
           {"{ignore: false}", "{}"},
           {R"({ignore: true, note: "\"a\\b\" # c"})", R"({ignore: true, note: "\"a\\b\" # c"})"},
       })
    EXPECT_EQ(to_yaml(parse_one(written)), shown);
}

TEST(rule_text, reads_back_as_the_same_rule) {
  random_rules random(3);
  for (int i = 0; i < 2000; ++i) {
    const auto r = random.make_rule();
    ASSERT_EQ(parse_one(to_yaml(r)), r) << to_yaml(r);
  }
}

}  // namespace
}  // namespace rules
