#include "programs/guest_agent/rules_report.hpp"

#include <gmock/gmock.h>

#include <array>

#include "ports/rule_names.hpp"

namespace guest_agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

rules_state parse(std::string_view text) {
  auto parsed = rules::parse_rules(text, ports::rule_names());
  return {.active = parsed.value().rules, .warnings = parsed.value().warnings, .trouble = {}};
}
rules_document::document report(const rules_state& state, const options& o, const ports::port_table& table = {}) {
  auto s = validate(o, false).value();
  s.policy.rules = state.active;
  return describe_rules("/etc/rules.yaml", state, ports::plan_exposure(table, s.policy), o, s);
}

TEST(rules_report, counts_the_ports_that_each_rule_decides) {
  ports::port_table table;
  std::vector<ports::binding> bindings;
  for (const std::uint16_t port : std::array<std::uint16_t, 3>{8080, 8081, 9090})
    bindings.push_back({net::protocol::tcp, net::address::any_v4(), port, 80, "c", "web"});
  table.publish(ports::source_id::docker, {std::move(bindings), {}, 1});
  const auto state = parse("rules:\n- port: 8000-8999\n  ignore: true\n- port: 9090\n  host-port: 9091\n- port: 7\n");
  const auto d = report(state, {.docker = true}, table);
  ASSERT_EQ(d.rules.size(), 3U);
  EXPECT_THAT(d.rules[0].text, HasSubstr("8000-8999"));
  EXPECT_EQ(d.rules[0].line, 2U);
  EXPECT_EQ(d.rules[0].ports, 2U);
  EXPECT_EQ(d.rules[1].ports, 1U);
  EXPECT_EQ(d.rules[2].ports, 0U);
}

TEST(rules_report, what_flags_decide_is_built_in) {
  options o{.docker = true, .kubernetes = true, .k8s_service_listener_address = "127.0.0.1", .iptables = false};
  o.ignored_listeners = host_sockets::ignore_list::parse("tcp:9100").value();
  const auto d = report(parse(""), o);
  std::vector<std::string> texts;
  for (const auto& r : d.built_in) texts.push_back(r.text);
  EXPECT_THAT(texts,
              ElementsAre(testing::AllOf(HasSubstr("9100"), HasSubstr("listeners"), HasSubstr("ignore: true")),
                          testing::AllOf(HasSubstr("kubernetes"), HasSubstr("127.0.0.1")),
                          testing::AllOf(HasSubstr("host-address"), HasSubstr("-adminInstall")), HasSubstr("1-1023")));
  for (const auto& text : texts)
    EXPECT_TRUE(rules::parse_rules("rules:\n- " + text, ports::rule_names())) << text << " stands in a file, too";
}

TEST(rules_report, in_tunnel_mode_the_host_has_every_address_and_port) {
  options o{.docker = true, .listeners = false, .admin_install = true};
  o.iptables = false;
  EXPECT_TRUE(report(parse(""), o).built_in.empty());
}

TEST(rules_report, a_refused_file_and_a_useless_rule_are_named) {
  auto state = parse("rules:\n- ignore: true\n- port: 80\n");
  state.trouble = "line 1: no";
  const auto d = report(state, {.docker = true});
  EXPECT_EQ(d.trouble, "line 1: no");
  EXPECT_THAT(d.warnings, ElementsAre(HasSubstr("line 3")));
}

}  // namespace
}  // namespace guest_agent
