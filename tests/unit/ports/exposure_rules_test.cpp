// The plan under port rules: where a port goes, what stands in its way there, and which peers get it.
#include <gmock/gmock.h>

#include <array>

#include "ports/exposure_policy.hpp"
#include "ports/owner_traits.hpp"
#include "tests/unit/ports/planned.hpp"

namespace ports {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto tunnel = network_mode::network_tunnel;

binding make(const char* address, std::uint16_t port, const char* name, serving how = serving::rule_and_proxy) {
  return {net::protocol::tcp, net::address::parse(address).value(), port, 80, std::string("id-") + name, name, how};
}

rules::rule rule_for(std::uint16_t port) {
  rules::rule made;
  made.when.ports = rules::port_range{port, port};
  return made;
}
rules::rule to_port(std::uint16_t from, std::uint16_t to) {
  auto made = rule_for(from);
  made.then.host_port = to;
  return made;
}
rules::rule to_address(std::uint16_t port, const char* address) {
  auto made = rule_for(port);
  made.then.host_address = net::address::parse(address).value();
  return made;
}
rules::rule only_at(std::uint16_t port, std::vector<std::string> peers) {
  auto made = rule_for(port);
  made.then.peers = std::move(peers);
  return made;
}
rules::rule ignoring(std::uint16_t port, std::string note = {}) {
  auto made = rule_for(port);
  made.then.ignore = true;
  made.then.note = std::move(note);
  return made;
}

planned plan(std::vector<binding> bindings, std::vector<rules::rule> by, network_mode mode = tunnel) {
  port_table table;
  table.publish(source_id::docker, {std::move(bindings), {}, 1});
  std::vector<rules::placed_rule> placed;
  for (auto& r : by) placed.push_back({std::move(r), 1});
  return planned(plan_exposure(table, {mode, true, std::make_shared<const rules::rule_set>(std::move(placed))}));
}

// "tcp 0.0.0.0:8080<80": the key, and the port inside the VM.
std::vector<std::string> forwards(const forward_map& all) {
  std::vector<std::string> texts;
  for (const auto& [key, f] : all) {
    EXPECT_EQ(key, f.key);
    texts.push_back(to_string(key) + (f.remapped_from == 0 ? "" : "<" + std::to_string(f.remapped_from)));
  }
  return texts;
}
std::vector<verdict> verdicts(const exposure_plan& p) {
  std::vector<verdict> all;
  for (const auto& port : p.ports) all.push_back(port.decision);
  return all;
}

TEST(exposure_rules, a_port_gets_another_number_on_the_host_alone) {
  const auto p = plan({make("127.0.0.1", 80, "web")}, {to_port(80, 8080)});
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 127.0.0.1:8080<80"));
  EXPECT_THAT(forwards(p.wsl), ElementsAre("tcp 127.0.0.1:80"));
  EXPECT_THAT(forwards(p.loopback), ElementsAre("tcp 127.0.0.1:80"));
  EXPECT_THAT(p.ports.at(0).rule.str(), HasSubstr("rule 1"));
  EXPECT_EQ(key_at(p, p.ports.at(0), peer_role::wsl)->port, 80);
  EXPECT_EQ(key_at(p, p.ports.at(0), peer_role::host)->port, 8080);
}

TEST(exposure_rules, a_port_gets_another_address_on_the_host) {
  EXPECT_THAT(forwards(plan({make("127.0.0.1", 80, "web")}, {to_address(80, "0.0.0.0")}).host),
              ElementsAre("tcp 0.0.0.0:80"));
  EXPECT_THAT(forwards(plan({make("0.0.0.0", 80, "web")}, {to_address(80, "::1")}).host),
              ElementsAre("tcp 127.0.0.1:80"));
  EXPECT_THAT(forwards(plan({make("0.0.0.0", 80, "web")}, {to_address(80, "192.0.2.7")}).host),
              ElementsAre("tcp 192.0.2.7:80"));
}

TEST(exposure_rules, no_rule_widens_the_mode) {
  const auto p = plan({make("0.0.0.0", 8080, "web"), make("0.0.0.0", 9090, "low")},
                      {to_address(8080, "0.0.0.0"), to_port(9090, 90)}, network_mode::non_admin);
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 127.0.0.1:8080"));
  EXPECT_THAT(verdicts(p), ElementsAre(verdict::restricted, verdict::exposed));
}

TEST(exposure_rules, an_ignored_port_is_listed_with_the_rule_and_nowhere_else) {
  const auto p = plan({make("127.0.0.1", 80, "web")}, {ignoring(80, "not for the host")});
  EXPECT_THAT(p.host, IsEmpty());
  EXPECT_THAT(p.wsl, IsEmpty());
  EXPECT_THAT(p.loopback, IsEmpty());
  ASSERT_THAT(verdicts(p), ElementsAre(verdict::ignored));
  EXPECT_THAT(p.ports[0].reason, HasSubstr("not for the host"));
}

TEST(exposure_rules, an_ignored_wildcard_covers_nothing) {
  auto ignored = ignoring(80);
  ignored.when.addresses = {{rules::address_pattern::kind::wildcard}};
  const auto p = plan({make("0.0.0.0", 80, "all"), make("127.0.0.1", 80, "web")}, {ignored});
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 127.0.0.1:80"));
}

TEST(exposure_rules, two_ports_at_one_port_of_the_host_conflict_there_and_nowhere_else) {
  const auto p = plan({make("0.0.0.0", 80, "one"), make("0.0.0.0", 8080, "two")}, {to_port(80, 8080)});
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 0.0.0.0:8080"));
  EXPECT_THAT(forwards(p.wsl), ElementsAre("tcp 0.0.0.0:80", "tcp 0.0.0.0:8080"));
  ASSERT_THAT(verdicts(p), ElementsAre(verdict::shadowed, verdict::exposed));
  EXPECT_EQ(to_string(p.ports[0].key), "tcp 0.0.0.0:80");
  EXPECT_EQ(p.ports[0].reason, "tcp 0.0.0.0:8080 on the host leads to port 8080 of two");
  EXPECT_THAT(p.ports[0].rule.str(), HasSubstr("rule 1"));
}

TEST(exposure_rules, of_two_moved_ports_the_better_claim_has_the_port) {
  const auto p = plan({make("0.0.0.0", 80, "one"), make("0.0.0.0", 81, "two")}, {to_port(80, 8080), to_port(81, 8080)});
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 0.0.0.0:8080<80"));
  ASSERT_THAT(verdicts(p), ElementsAre(verdict::exposed, verdict::shadowed));
  EXPECT_EQ(p.ports[1].reason, "tcp 0.0.0.0:8080 on the host leads to port 80 of one");
  EXPECT_EQ(p.ports[1].rule_number, 1U);
}

TEST(exposure_rules, the_wildcard_covers_a_moved_port_only_if_it_leads_there) {
  auto moved = to_port(80, 8080);
  const auto shadowed = plan({make("127.0.0.1", 80, "one"), make("0.0.0.0", 8080, "two")}, {moved});
  EXPECT_THAT(forwards(shadowed.host), ElementsAre("tcp 0.0.0.0:8080"));
  EXPECT_THAT(forwards(shadowed.wsl), ElementsAre("tcp 0.0.0.0:8080", "tcp 127.0.0.1:80"));
  EXPECT_THAT(verdicts(shadowed), ElementsAre(verdict::exposed, verdict::shadowed));
  EXPECT_THAT(shadowed.ports[1].reason, HasSubstr("leads to port 8080"));
  const auto covered = plan({make("127.0.0.1", 80, "one"), make("0.0.0.0", 80, "one")}, {moved});
  EXPECT_THAT(forwards(covered.host), ElementsAre("tcp 0.0.0.0:8080<80"));
  EXPECT_THAT(forwards(covered.wsl), ElementsAre("tcp 0.0.0.0:80"));
  EXPECT_THAT(verdicts(covered), ElementsAre(verdict::exposed, verdict::covered));
}

TEST(exposure_rules, what_is_not_opened_stands_in_nobodys_way) {
  const auto by_service = plan({make("0.0.0.0", 80, "one"), make("127.0.0.1", 8080, "two")}, {to_port(80, 8080)},
                               network_mode::privileged_service);
  EXPECT_THAT(forwards(by_service.host), ElementsAre("tcp 127.0.0.1:8080"));
  auto for_wsl = to_port(80, 8080);
  for_wsl.then.peers = {"wsl-proxy"};
  const auto elsewhere = plan({make("0.0.0.0", 80, "one"), make("127.0.0.1", 8080, "two")}, {for_wsl});
  EXPECT_THAT(forwards(elsewhere.host), ElementsAre("tcp 127.0.0.1:8080"));
  EXPECT_THAT(forwards(elsewhere.wsl), ElementsAre("tcp 0.0.0.0:80", "tcp 127.0.0.1:8080"));
}

TEST(exposure_rules, at_wsl_proxy_the_published_wildcard_covers) {
  auto split = to_port(80, 9090);
  split.when.addresses = {{rules::address_pattern::kind::loopback}};
  const auto p = plan({make("0.0.0.0", 80, "all"), make("127.0.0.1", 80, "one")}, {split});
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 0.0.0.0:80", "tcp 127.0.0.1:9090<80"));
  EXPECT_THAT(forwards(p.wsl), ElementsAre("tcp 0.0.0.0:80"));
}

TEST(exposure_rules, each_peers_own_number_is_restricted) {
  const auto up = plan({make("0.0.0.0", 80, "web")}, {to_port(80, 8080)}, network_mode::non_admin);
  EXPECT_THAT(forwards(up.host), ElementsAre("tcp 127.0.0.1:8080<80"));
  EXPECT_THAT(up.wsl, IsEmpty());
  const auto down = plan({make("0.0.0.0", 8080, "web")}, {to_port(8080, 80)}, network_mode::non_admin);
  EXPECT_THAT(down.host, IsEmpty());
  EXPECT_THAT(verdicts(down), ElementsAre(verdict::restricted));
  EXPECT_THAT(forwards(down.wsl), ElementsAre("tcp 127.0.0.1:8080"));
}

TEST(exposure_rules, a_port_stays_with_the_peers_that_its_rule_names) {
  const auto host = plan({make("0.0.0.0", 80, "web")}, {only_at(80, {"host-switch"})});
  EXPECT_THAT(forwards(host.host), ElementsAre("tcp 0.0.0.0:80"));
  EXPECT_THAT(host.wsl, IsEmpty());
  const auto wsl = plan({make("127.0.0.1", 80, "web")}, {only_at(80, {"wsl-proxy"})});
  EXPECT_THAT(wsl.host, IsEmpty());
  EXPECT_THAT(forwards(wsl.wsl), ElementsAre("tcp 127.0.0.1:80"));
  EXPECT_THAT(forwards(wsl.loopback), ElementsAre("tcp 127.0.0.1:80")) << "that peer needs it, too";
  const auto none = plan({make("0.0.0.0", 80, "web")}, {only_at(80, {"wsl-proxy"})}, network_mode::privileged_service);
  EXPECT_THAT(verdicts(none), ElementsAre(verdict::ignored));
  EXPECT_THAT(none.host, IsEmpty());
}

TEST(exposure_rules, a_wildcard_covers_only_where_it_is_open) {
  auto elsewhere = only_at(80, {"wsl-proxy"});
  elsewhere.when.addresses = {{rules::address_pattern::kind::wildcard}};
  const auto p = plan({make("0.0.0.0", 80, "all"), make("127.0.0.1", 80, "web")}, {elsewhere});
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 127.0.0.1:80"));
  EXPECT_THAT(forwards(p.wsl), ElementsAre("tcp 0.0.0.0:80"));
}

TEST(exposure_rules, the_privileged_service_keeps_numbers) {
  const auto p = plan({make("0.0.0.0", 80, "web")}, {to_port(80, 8080)}, network_mode::privileged_service);
  EXPECT_THAT(p.host, IsEmpty());
  EXPECT_THAT(verdicts(p), ElementsAre(verdict::unsupported));
}

TEST(exposure_rules, wsls_own_relay_is_not_told_of_a_moved_port) {
  const auto by_rule = [](std::uint16_t port) { return make("0.0.0.0", port, "web", serving::nat_rule); };
  const auto p = plan({by_rule(8080), by_rule(8081)}, {to_port(8080, 9090)}, network_mode::non_admin);
  EXPECT_THAT(forwards(p.listeners), ElementsAre("tcp 127.0.0.1:8081"));
}

TEST(exposure_rules, the_best_ranked_claim_decides_for_its_port) {
  port_table table;
  table.publish(source_id::iptables, {{make("0.0.0.0", 80, "rule")}, {}, 1});
  table.publish(source_id::docker, {{make("0.0.0.0", 80, "web")}, {}, 1});
  auto by_iptables = ignoring(80), by_docker = to_port(80, 8080);
  by_iptables.when.sources = {"iptables"};
  by_docker.when.sources = {"docker"};
  const auto set =
      std::make_shared<const rules::rule_set>(std::vector<rules::placed_rule>{{by_iptables, 1}, {by_docker, 2}});
  const planned p(plan_exposure(table, {tunnel, true, set}));
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 0.0.0.0:8080<80"));
  EXPECT_EQ(p.ports.at(0).claims.size(), 2U);
}

TEST(exposure_rules, a_container_narrows_by_a_label_only_where_that_is_allowed) {
  static constexpr std::array<std::string_view, 1> sources{"docker"}, peers{"host-switch"};
  auto web = make("0.0.0.0", 80, "web");
  const rules::label moves{"guestagent.ports.80/tcp", "{host-address: 127.0.0.1, host-port: 8080}"};
  web.traits = encode_traits({.labels = {moves, {"guestagent.ports.81/tcp", "ignore: true"}}}).text;
  port_table table;
  table.publish(source_id::docker, {{web}, {}, 1});
  exposure_options options{.mode = tunnel};
  EXPECT_THAT(forwards(planned(plan_exposure(table, options)).host), ElementsAre("tcp 0.0.0.0:80"));
  options.label_names = rules::known_names{.sources = sources, .peers = peers};
  const planned p(plan_exposure(table, options));
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 127.0.0.1:8080<80"));
  EXPECT_THAT(p.ports.at(0).rule.str(), HasSubstr("guestagent.ports.80/tcp"));
}

TEST(exposure_rules, a_label_does_not_widen_what_a_rule_narrowed) {
  static constexpr std::array<std::string_view, 1> sources{"docker"}, peers{"host-switch"};
  auto web = make("0.0.0.0", 80, "web");
  web.traits = encode_traits({.labels = {{"guestagent.ports.80/tcp", "host-address: wildcard"}}}).text;
  port_table table;
  table.publish(source_id::docker, {{web}, {}, 1});
  exposure_options options{.mode = tunnel};
  options.label_names = rules::known_names{.sources = sources, .peers = peers};
  options.rules =
      std::make_shared<const rules::rule_set>(std::vector<rules::placed_rule>{{to_address(80, "127.0.0.1"), 1}});
  const planned p(plan_exposure(table, options));
  EXPECT_THAT(forwards(p.host), ElementsAre("tcp 127.0.0.1:80"));
  EXPECT_THAT(p.ports.at(0).rule.str(), HasSubstr("host-address"));
}

TEST(exposure_rules, the_owners_traits_are_matched) {
  auto web = make("0.0.0.0", 80, "web");
  web.traits = encode_traits({.space = "k8s.io", .image = "nginx:1.27", .labels = {{"tier", "front"}}}).text;
  rules::rule by;
  by.when.labels = {{"tier", rules::glob::parse("fr*").value()}};
  by.when.namespaces = {rules::glob::parse("k8s*").value()};
  by.when.images = {rules::glob::parse("nginx:*").value()};
  by.then.ignore = true;
  EXPECT_THAT(verdicts(plan({web, make("0.0.0.0", 81, "other")}, {by})),
              ElementsAre(verdict::exposed, verdict::ignored));
}

}  // namespace
}  // namespace ports
