#include "sinks/loopback/rule_plan.hpp"

#include "sinks/loopback/engine_rules.hpp"
#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;
using testing::StartsWith;

const rule_options options;
const net::address tap = options.tap;
const net::address veth = options.veth;
const machine_state machine{{{"eth0", tap, network_of(tap, 24), 24}, {"veth0", veth, network_of(veth, 24), 24}}};

std::string line(std::string text) {
  text.pop_back();
  return text;
}
way_choice ways(const netfilter::nat_table& table, const wanted_ports& wanted, const way_limits& limits = {},
                const rule_options& with = options) {
  return choose_ways(engine_rules(table, with), wanted, {}, limits, with);
}
// The relays listen on their key's port and 10,000.
rule_plan plan(const netfilter::nat_table& table, const wanted_ports& wanted, const way_limits& limits = {},
               const rule_options& with = options, const machine_state& on = machine) {
  const engine_rules rules(table, with);
  const auto chosen = choose_ways(rules, wanted, {}, limits, with);
  relay_numbers relays;
  for (const auto& port : chosen.served)
    if (port.by == way::relayed)
      relays.emplace(port.wanted.key, static_cast<std::uint16_t>(port.wanted.key.port + 10'000));
  return plan_rules(rules, chosen.served, relays, on, with);
}
rule_plan removal(const netfilter::nat_table& table) { return plan(table, {}); }
wanted_ports held(const netfilter::nat_table& table, const wanted_ports& wanted = {},
                  const rule_options& with = options) {
  return find_held(engine_rules(table, with), wanted, with);
}
std::vector<std::string> chain(const netfilter::nat_table& table) { return lines_of(table, tag); }

const auto udp = net::protocol::udp;

TEST(rule_plan, copies_the_engines_rule_behind_jumps_for_the_peers_alone) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 8080, "172.17.0.2:80"));
  const auto wanted = all_of({wanted_by("abc", key("127.0.0.1", 8080))});
  const auto made = plan(before, wanted);
  EXPECT_FALSE(made.localnet);
  const auto after = changed_by(before, made);
  EXPECT_THAT(chain(after), ElementsAre(line(our_rule("abc", 8080, "172.17.0.2:80"))));
  EXPECT_EQ(lines_of(after, "DOCKER"), lines_of(before, "DOCKER"));
  EXPECT_EQ(lines_of(after, "PREROUTING").size(), 3U);
  for (const auto& jump : {own_jumps.substr(0, own_jumps.find('\n')), line(own_jumps.substr(own_jumps.find('\n') + 1))})
    EXPECT_THAT(lines_of(after, "PREROUTING"), Contains(jump));
  EXPECT_THAT(plan(after, wanted).changes, IsEmpty());
}

TEST(rule_plan, with_nothing_wanted_there_is_nothing) {
  EXPECT_THAT(plan(table_of(docker_jumps), {}).changes, IsEmpty());
  const auto before = table_of(docker_jumps + own_chain + own_jumps + our_rule("a", 80, "172.17.0.2:80"));
  const auto after = changed_by(before, removal(before));
  EXPECT_EQ(after, table_of(docker_jumps));
}

TEST(rule_plan, takes_the_target_from_the_engines_own_rule) {  // of a container in two networks, Docker has chosen one
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 53, "10.9.0.3:5353", "udp") +
                               docker_rule("127.0.0.1", 53, "10.8.0.3:54"));
  const auto after = changed_by(before, plan(before, all_of({wanted_by("c", key("127.0.0.1", 53, udp), 5353),
                                                             wanted_by("c", key("127.0.0.1", 53), 54)})));
  EXPECT_THAT(chain(after), testing::UnorderedElementsAre(line(our_rule("c", 53, "10.9.0.3:5353", "udp")),
                                                          line(our_rule("c", 53, "10.8.0.3:54"))));
}

TEST(rule_plan, a_stale_rule_goes_before_anything_is_wanted) {
  const auto before = table_of(docker_jumps + own_chain + own_jumps + our_rule("gone", 8080, "172.17.0.2:80") +
                               docker_rule("127.0.0.1", 8080, "172.17.0.3:80"));
  EXPECT_THAT(held(before), IsEmpty());
  EXPECT_THAT(chain(changed_by(before, plan(before, {}))), IsEmpty());
}

TEST(rule_plan, rules_of_an_earlier_version_go) {
  const auto before = table_of(
      docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") +
      "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -m comment --comment rancher-desktop-guestagent:a -j DNAT "
      "--to-destination 172.17.0.2:80\n"
      "-A PREROUTING -d 192.168.127.2/32 -i eth0 -p tcp -m comment --comment rancher-desktop-guestagent:pair -j DNAT "
      "--to-destination 127.0.0.1\n"
      "-A POSTROUTING -o eth0 -m addrtype --src-type LOCAL -m comment --comment rancher-desktop-guestagent:pair -j "
      "SNAT --to-source 192.168.127.2\n");
  EXPECT_THAT(held(before), IsEmpty());
  EXPECT_TRUE(leads_to_loopback(engine_rules(before, options)));
  const auto clean = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  EXPECT_EQ(changed_by(before, plan(before, {})), clean);
  const auto after = changed_by(before, plan(before, all_of({wanted_by("a", key("127.0.0.1", 80))})));
  EXPECT_THAT(chain(after), SizeIs(1));
  EXPECT_EQ(lines_of(after, "DOCKER"), lines_of(clean, "DOCKER"));
  EXPECT_EQ(lines_of(after, "POSTROUTING"), lines_of(clean, "POSTROUTING"));
}

TEST(rule_plan, a_live_rule_is_found_with_its_key) {
  const auto table = table_of(docker_jumps + own_chain + docker_rule("10.0.0.5", 8080, "172.17.0.2:81") +
                              our_rule("abc", 8080, "172.17.0.2:81"));
  const auto found = held(table);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.begin()->second, wanted_by("abc", key("10.0.0.5", 8080), 81));
}

TEST(rule_plan, a_rule_to_a_listener_is_found_and_a_relays_is_not) {
  const auto table = table_of(docker_jumps + own_chain + own_rule("listener", 9000, "127.0.0.1") +
                              own_rule("abc", 9001, "127.0.0.1") + own_rule("listener", 53, ":40053", "udp"));
  const auto found = held(table);
  EXPECT_THAT(found, SizeIs(2));
  EXPECT_EQ(found.at(key("127.0.0.1", 9000)).owner, "");
  EXPECT_EQ(found.at(key("127.0.0.1", 9001)).owner, "abc");
  EXPECT_THAT(chain(changed_by(table, plan(table, found))), SizeIs(2)) << "nothing listens for the relay's rule";
}

TEST(rule_plan, one_rule_serves_both_addresses_of_a_containers_port) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") +
                               docker_rule("10.0.0.5", 80, "172.17.0.2:80"));
  const auto both = all_of({wanted_by("c", key("127.0.0.1", 80)), wanted_by("c", key("10.0.0.5", 80))});
  EXPECT_THAT(ways(before, both).losers, IsEmpty());
  const auto after = changed_by(before, plan(before, both));
  EXPECT_THAT(chain(after), SizeIs(1));
  EXPECT_EQ(held(after).begin()->first, key("10.0.0.5", 80));
  const auto one = all_of({wanted_by("c", key("127.0.0.1", 80))});
  EXPECT_EQ(held(after, one).begin()->first, key("127.0.0.1", 80));
  EXPECT_THAT(plan(after, one).changes, IsEmpty());
}

TEST(rule_plan, the_address_that_has_the_port_keeps_it) {
  const auto table = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") +
                              docker_rule("127.0.0.2", 80, "172.17.0.3:80"));
  const auto both = all_of({wanted_by("a", key("127.0.0.1", 80)), wanted_by("b", key("127.0.0.2", 80))});
  const auto chosen = choose_ways(engine_rules(table, options), both, {key("127.0.0.2", 80)}, {}, options);
  ASSERT_THAT(chosen.served, SizeIs(1));
  EXPECT_EQ(chosen.served.front().wanted.key, key("127.0.0.2", 80));
  EXPECT_THAT(chosen.losers, ElementsAre(Pair(key("127.0.0.1", 80), HasSubstr("127.0.0.2"))));
}

TEST(rule_plan, of_two_targets_of_one_port_one_is_served_and_the_other_named) {
  const auto table = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") +
                              docker_rule("127.0.0.2", 80, "172.17.0.3:80"));
  const auto both = all_of({wanted_by("a", key("127.0.0.1", 80)), wanted_by("b", key("127.0.0.2", 80))});
  EXPECT_THAT(ways(table, both).losers, ElementsAre(Pair(key("127.0.0.2", 80), HasSubstr("tcp 127.0.0.1:80"))));
  EXPECT_THAT(chain(changed_by(table, plan(table, both))), ElementsAre(HasSubstr(":a ")));
}

TEST(rule_plan, doubles_go) {
  const auto wanted = all_of({wanted_by("abc", key("127.0.0.1", 80))});
  const auto ours = our_rule("abc", 80, "172.17.0.2:80");
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") + own_chain + ours + ours +
                               own_jumps + own_jumps);
  const auto after = changed_by(before, plan(before, wanted));
  EXPECT_THAT(chain(after), SizeIs(1));
  EXPECT_THAT(lines_of(after, "PREROUTING"), SizeIs(3));
  EXPECT_THAT(plan(after, wanted).changes, IsEmpty());
}

TEST(rule_plan, rules_go_by_their_handles_where_these_are_known) {
  auto before = table_of(docker_jumps + own_chain + docker_rule("127.0.0.1", 82, "172.17.0.2:80") + own_jumps +
                         own_rule("gone", 80, "127.0.0.1") + own_rule("odd", 81, "127.0.0.1"));
  before.handles = {1, 2, 3, 4, 5, 60, 70, 80, 0};
  const auto made = plan(before, all_of({wanted_by("b", key("127.0.0.1", 82))}));
  EXPECT_THAT(made.removals, ElementsAre(netfilter::rule_place{tag, 80}));
  EXPECT_THAT(made.changes, ElementsAre(StartsWith("-D " + tag), StartsWith("-A " + tag)))
      << "what comes is there before what goes by its handle is away";
  EXPECT_THAT(made.grown, ElementsAre(tag));
  EXPECT_THAT(removal(before).removals, IsEmpty()) << "the chain goes as a whole";
}

TEST(rule_plan, our_jumps_move_behind_a_jump_that_comes_later) {
  const auto wanted = all_of({listener(key("127.0.0.1", 9000))});
  const auto before = table_of(own_chain + own_jumps + docker_jumps + own_rule("listener", 9000, "127.0.0.1"));
  const auto after = changed_by(before, plan(before, wanted));
  EXPECT_THAT(lines_of(after, "PREROUTING"), ElementsAre(HasSubstr("DOCKER"), HasSubstr(tag), HasSubstr(tag)));
  EXPECT_THAT(plan(after, wanted).changes, IsEmpty());
}

TEST(rule_plan, a_listener_on_loopback_is_reached_directly) {
  const auto wanted = all_of({listener(key("127.0.0.1", 9000)), listener(key("127.0.0.53", 9001))});
  const auto made = plan(table_of(docker_jumps), wanted);
  EXPECT_TRUE(made.localnet);
  EXPECT_THAT(
      chain(changed_by(table_of(docker_jumps), made)),
      ElementsAre(line(own_rule("listener", 9000, "127.0.0.1")), line(own_rule("listener", 9001, "127.0.0.53"))));
}

TEST(rule_plan, a_listener_on_another_address_needs_no_route_localnet) {
  const auto made = plan(table_of(docker_jumps), all_of({listener(key("10.0.0.5", 9000))}), {.localnet = false});
  EXPECT_FALSE(made.localnet);
  EXPECT_THAT(made.changes, Contains(line(own_rule("listener", 9000, "10.0.0.5"))));
}

TEST(rule_plan, without_route_localnet_a_listener_on_loopback_is_relayed) {
  const auto made = plan(table_of(docker_jumps), all_of({listener(key("127.0.0.1", 9000))}), {.localnet = false});
  EXPECT_FALSE(made.localnet);
  EXPECT_THAT(made.changes, Contains(line(own_rule("listener", 9000, ":19000"))));
}

TEST(rule_plan, udp_and_ipv6_are_relayed_behind_a_rule) {
  const auto wanted = all_of({listener(key("127.0.0.1", 81, udp)), listener(key("::1", 82))});
  const auto table = table_of(docker_jumps);
  EXPECT_THAT(chain(changed_by(table, plan(table, wanted))),
              testing::UnorderedElementsAre(line(own_rule("listener", 81, ":10081", "udp")),
                                            line(own_rule("listener", 82, ":10082"))));
  EXPECT_EQ(target_of(key("::1", 82), options), (net::endpoint{net::address::loopback_v6(), 82}));
}

// docker-proxy, or rules that a connection from the VM itself meets.
TEST(rule_plan, a_published_port_without_a_rule_is_relayed) {
  auto wanted = all_of({wanted_by("a", key("127.0.0.1", 82))});
  for (const auto served : {ports::serving::rule_and_proxy, ports::serving::nat_rule}) {
    wanted.begin()->second.served = served;
    const auto made = plan(table_of(docker_jumps), wanted);
    EXPECT_THAT(made.changes, Contains(line(own_rule("a", 82, ":10082"))));
  }
}

TEST(rule_plan, a_port_on_the_peers_own_address_stays_with_its_listener) {
  const auto wanted = all_of({wanted_by("a", key("192.168.127.2", 82)), wanted_by("b", key("192.168.127.2", 83, udp))});
  const auto made = plan(table_of(docker_jumps), wanted);
  EXPECT_THAT(made.changes, Contains(line(own_rule("a", 82, "192.168.127.2"))));
  EXPECT_THAT(made.changes, Contains(line(own_rule("b", 83, "192.168.127.2", "udp"))));
}

// kube-proxy's nftables and IPVS modes answer at the primary address only.
TEST(rule_plan, a_services_port_is_relayed_from_the_veth_to_the_taps_address) {
  const ports::forward node_port{key("0.0.0.0", 30080), 0, {}, "uid", ports::serving::every_address};
  const auto made = plan(table_of(docker_jumps), all_of({node_port}));
  EXPECT_THAT(made.changes, Contains(line(own_rule("uid", 30080, ":40080", "tcp", "-d 192.168.143.1/32 "))));
  EXPECT_EQ(target_of(node_port.key, options), (net::endpoint{tap, 30080}));
  const auto after = changed_by(table_of(docker_jumps), made);
  EXPECT_THAT(held(after), IsEmpty());
  EXPECT_THAT(plan(after, all_of({node_port})).changes, IsEmpty());
}

TEST(rule_plan, without_an_engine_rules_serve_listeners_as_well) {
  const auto wanted = all_of({listener(key("127.0.0.1", 81)), wanted_by("a", key("127.0.0.1", 80))});
  const auto before = table_of(docker_rule("127.0.0.1", 80, "172.17.0.2:80"));  // nothing jumps there
  EXPECT_FALSE(engine_rules(before, options).active());
  EXPECT_THAT(chain(changed_by(before, plan(before, wanted))),
              ElementsAre(line(own_rule("a", 80, ":10080")), line(own_rule("listener", 81, "127.0.0.1"))));
}

TEST(rule_plan, a_listener_behind_an_engines_rule_is_left_to_the_containers_claim) {
  const auto table = table_of(docker_jumps + docker_rule("127.0.0.1", 8080, "172.17.0.2:80"));
  const auto made = plan(table, all_of({listener(key("127.0.0.1", 8080)), listener(key("127.0.0.1", 9000))}));
  EXPECT_THAT(chain(changed_by(table, made)), ElementsAre(line(own_rule("listener", 9000, "127.0.0.1"))));
}

TEST(rule_plan, without_peers_there_are_rules_that_nothing_leads_to) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  const auto wanted = all_of({wanted_by("a", key("127.0.0.1", 80))});
  const auto after = changed_by(before, plan(before, wanted, {}, options, {}));
  EXPECT_THAT(lines_of(after, "PREROUTING"), SizeIs(1));
  const auto later = changed_by(after, plan(after, wanted));
  EXPECT_THAT(lines_of(later, "PREROUTING"), SizeIs(3));
  EXPECT_THAT(chain(later), SizeIs(1));
}

TEST(rule_plan, an_owner_that_is_no_plain_id_never_gets_into_a_rule) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  for (const auto& owner : std::vector<std::string>{"a b", "x\n-F", "\"", std::string(201, 'a')}) {
    const auto after = changed_by(before, plan(before, all_of({wanted_by(owner, key("127.0.0.1", 80))})));
    EXPECT_THAT(chain(after), ElementsAre(line(own_rule("unnamed", 80, ":10080")))) << owner;
  }
}

TEST(rule_plan, a_rejected_rule_is_relayed_in_place) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  const auto wanted = all_of({wanted_by("a", key("127.0.0.1", 80)), listener(key("127.0.0.1", 81))});
  const way_limits limits{.rejected = {key("127.0.0.1", 80)}};
  EXPECT_EQ(ways(before, wanted, limits).served.at(0).by, way::relayed_in_place);
  EXPECT_THAT(chain(changed_by(before, plan(before, wanted, limits))), ElementsAre(HasSubstr("--dport 81")));
  for (const auto& port : ways(before, wanted, {.rules = false}).served) EXPECT_EQ(port.by, way::relayed_in_place);
}

TEST(rule_plan, other_agents_rules_are_foreign) {
  auto other = own_chain + own_jumps + own_rule("x", 80, "127.0.0.1");
  for (std::size_t at = 0; (at = other.find(tag, at)) != std::string::npos; at += 5)
    other.replace(at, tag.size(), "other");
  const auto before = table_of(docker_jumps + other);
  EXPECT_THAT(plan(before, {}).changes, IsEmpty());
  EXPECT_THAT(held(before), IsEmpty());
  const auto wanted = all_of({listener(key("127.0.0.1", 80))});
  const auto both = changed_by(before, plan(before, wanted));
  rule_options others;
  others.tag = "other";
  const auto settled = changed_by(both, plan(both, wanted, {}, others));
  EXPECT_THAT(settled.rules, SizeIs(both.rules.size()));
}

// As CNI's portmap plugin writes them, the chain's name behind "CNI-DN-" and the container's id as it knows it.
netfilter::nat_table cni_table(const std::vector<std::pair<std::string, std::string>>& chains) {
  std::string heads = "*nat\n:PREROUTING ACCEPT\n:POSTROUTING ACCEPT\n:CNI-HOSTPORT-DNAT -\n",
              rules = "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n";
  int address = 7;
  for (const auto& [name, id] : chains) {
    const auto chain = "CNI-DN-" + name;
    heads += ":" + chain + " -\n";
    rules += "-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"bridge\\\" id: \\\"" + id +
             "\\\"\" -m multiport --dports 8080 -j " + chain + "\n-A " + chain +
             " -s 10.4.0.0/24 -d 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK\n-A " + chain +
             " -d 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.4.0." +
             std::to_string(address++) + ":80\n";
  }
  return netfilter::parse_nat_table(heads + rules + "COMMIT\n").value();
}
rule_options with_cni() {
  rule_options cni;
  cni.engines.push_back({"CNI-HOSTPORT-DNAT", "CNI-DN-*", ports::serving::nat_rule});
  return cni;
}
std::vector<std::string> cni_chain(const netfilter::nat_table& table, const std::string& owner) {
  auto wanted = all_of({wanted_by(owner, key("127.0.0.1", 8080))});
  wanted.begin()->second.served = ports::serving::nat_rule;
  return chain(changed_by(table, plan(table, wanted, {}, with_cni())));
}

TEST(rule_plan, cni_chains_work_the_same_way) {
  EXPECT_THAT(cni_chain(cni_table({{"abc", "default-web"}}), "default/web"),
              ElementsAre(line(own_rule("default/web", 8080, "10.4.0.7:80"))));
}

TEST(rule_plan, a_chain_that_a_dead_container_has_left_is_not_taken_for_a_live_one) {
  EXPECT_THAT(cni_chain(cni_table({{"old", "default-old"}, {"new", "k8s.io-new"}}), "k8s.io/new"),
              ElementsAre(line(own_rule("k8s.io/new", 8080, "10.4.0.8:80"))));
  EXPECT_THAT(cni_chain(cni_table({{"old", "default-old"}}), "default/new"),
              ElementsAre(line(own_rule("default/new", 8080, ":18080"))))
      << "whatever serves it, no rule does";
}

TEST(rule_plan, an_id_that_the_plugin_has_cut_is_ignored) {
  auto table = cni_table({{"abc", "default-web"}});
  for (auto& r : table.rules)
    for (auto& word : r.words)
      if (word.starts_with("dnat name")) word.resize(word.size() - 4);
  EXPECT_THAT(cni_chain(table, "default/web"), ElementsAre(line(own_rule("default/web", 8080, "10.4.0.7:80"))));
}

TEST(rule_plan, a_held_port_is_of_the_engine_whose_chain_publishes_it) {
  auto table = cni_table({{"abc", "default-web"}});
  table = changed_by(table, plan(table, all_of({wanted_by("default/web", key("127.0.0.1", 8080))}), {}, with_cni()));
  const auto found = held(table, {}, with_cni());
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.begin()->second.served, ports::serving::nat_rule);
  EXPECT_EQ(found.begin()->second.owner, "default/web");
}

TEST(rule_plan, an_interface_of_the_whole_vm_never_gets_route_localnet) {
  rule_options whole;
  whole.interface = "eth0";
  const auto eth0 = net::address::v4(172, 26, 1, 5);
  const machine_state there{{{"eth0", eth0, network_of(eth0, 20), 20}}};
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 8080, "172.17.0.2:80"));
  const auto made =
      plan(before, all_of({wanted_by("a", key("127.0.0.1", 8080)), listener(key("127.0.0.1", 81))}), {}, whole, there);
  EXPECT_FALSE(made.localnet);
  const auto after = changed_by(before, made);
  EXPECT_THAT(chain(after), testing::UnorderedElementsAre(line(our_rule("a", 8080, "172.17.0.2:80")),
                                                          line(own_rule("listener", 81, ":10081"))));
  EXPECT_THAT(lines_of(after, "PREROUTING"),
              Contains(StartsWith("-A PREROUTING -s 172.26.0.0/20 -d 172.26.1.5/32 -i eth0")));
}

}  // namespace
}  // namespace loopback
