#include "sinks/loopback/rule_plan.hpp"

#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const rule_options options;
const net::address tap = options.tap;
const net::address veth = options.veth;
const machine_state machine{"eth0", {tap, veth}};
const std::string pair_in =
    "-A PREROUTING -d 192.168.127.2/32 -i eth0 -p tcp -m comment --comment rancher-desktop-guestagent:pair -j DNAT "
    "--to-destination 127.0.0.1";
const std::string pair_out =
    "-A POSTROUTING -o eth0 -m addrtype --src-type LOCAL -m comment --comment rancher-desktop-guestagent:pair -j SNAT "
    "--to-source 192.168.127.2";
const std::string direct_82 =
    "-A PREROUTING -d 192.168.127.2/32 -i eth0 -p tcp -m tcp --dport 82 -m comment --comment "
    "rancher-desktop-guestagent:direct -j ACCEPT";

rule_plan plan(const nat_table& table, const wanted_ports& wanted, const machine_state& on = machine) {
  return plan_rules(table, wanted, {}, on, options);
}
std::string unquoted(std::string line) {
  std::erase(line, '"');
  line.pop_back();
  return line;
}

TEST(RulePlan, AddsTheEnginesRuleForAnyAddressAndThePair) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 8080, "172.17.0.2:80"));
  const auto wanted = all_of({wanted_by("abc", key("127.0.0.1", 8080))});
  const auto made = plan(before, wanted);
  EXPECT_TRUE(made.pair);
  EXPECT_THAT(made.relayed, IsEmpty());
  EXPECT_THAT(made.changes, SizeIs(3));
  const auto after = changed_by(before, made);
  EXPECT_EQ(lines_of(after, "DOCKER").back(), unquoted(our_rule("abc", 8080, "172.17.0.2:80")));
  EXPECT_EQ(lines_of(after, "PREROUTING").back(), pair_in);
  EXPECT_EQ(lines_of(after, "POSTROUTING").back(), pair_out);
  EXPECT_THAT(plan(after, wanted).changes, IsEmpty());
}

TEST(RulePlan, TakesTheTargetFromTheEnginesOwnRule) {  // of a container in two networks, Docker has chosen one
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 53, "10.9.0.3:5353", "udp") +
                               docker_rule("127.0.0.1", 53, "10.8.0.3:54"));
  const auto after =
      changed_by(before, plan(before, all_of({wanted_by("c", key("127.0.0.1", 53, net::protocol::udp), 5353),
                                              wanted_by("c", key("127.0.0.1", 53), 54)})));
  EXPECT_THAT(lines_of(after, "DOCKER"), Contains(unquoted(our_rule("c", 53, "10.9.0.3:5353", "udp"))));
  EXPECT_THAT(lines_of(after, "DOCKER"), Contains(unquoted(our_rule("c", 53, "10.8.0.3:54"))));
}

TEST(RulePlan, AStaleRuleGoesBeforeAnythingIsWanted) {
  const auto before = table_of(docker_jumps + our_rule("gone", 8080, "172.17.0.2:80") +
                               docker_rule("127.0.0.1", 8080, "172.17.0.3:80"));
  EXPECT_THAT(find_held(before, {}, options), IsEmpty());
  const auto after = changed_by(before, plan(before, {}));
  EXPECT_THAT(lines_of(after, "DOCKER"), Not(Contains(unquoted(our_rule("gone", 8080, "172.17.0.2:80")))));
}

TEST(RulePlan, ALiveRuleIsFoundWithItsKey) {
  const auto table =
      table_of(docker_jumps + docker_rule("10.0.0.5", 8080, "172.17.0.2:81") + our_rule("abc", 8080, "172.17.0.2:81"));
  const auto held = find_held(table, {}, options);
  ASSERT_THAT(held, SizeIs(1));
  EXPECT_EQ(held.begin()->second, wanted_by("abc", key("10.0.0.5", 8080), 81));
}

TEST(RulePlan, OneRuleServesBothAddressesOfAContainersPort) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") +
                               docker_rule("10.0.0.5", 80, "172.17.0.2:80"));
  const auto both = all_of({wanted_by("c", key("127.0.0.1", 80)), wanted_by("c", key("10.0.0.5", 80))});
  const auto after = changed_by(before, plan(before, both));
  EXPECT_THAT(lines_of(after, "DOCKER"), SizeIs(4));
  EXPECT_EQ(find_held(after, {}, options).begin()->first, key("10.0.0.5", 80));
  EXPECT_EQ(find_held(after, all_of({wanted_by("c", key("127.0.0.1", 80))}), options).begin()->first,
            key("127.0.0.1", 80));
  EXPECT_THAT(plan(after, all_of({wanted_by("c", key("127.0.0.1", 80))})).changes, IsEmpty());
}

TEST(RulePlan, DoublesGo) {
  const auto wanted = all_of({wanted_by("abc", key("127.0.0.1", 80))});
  const auto ours = our_rule("abc", 80, "172.17.0.2:80");
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") + ours + ours + pair_in +
                               "\n" + pair_in + "\n" + pair_out + "\n" + pair_out + "\n");
  const auto after = changed_by(before, plan(before, wanted));
  EXPECT_THAT(lines_of(after, "DOCKER"), SizeIs(3));
  EXPECT_THAT(lines_of(after, "PREROUTING"), SizeIs(2));
  EXPECT_THAT(lines_of(after, "POSTROUTING"), SizeIs(2));
}

TEST(RulePlan, RulesGoByTheirHandlesWhereTheseAreKnown) {
  auto before = table_of(docker_jumps + our_rule("gone", 80, "172.17.0.2:80") + our_rule("odd", 81, "172.17.0.2:80") +
                         pair_in + "\n" + pair_out + "\n");
  before.handles = {1, 2, 3, 4, 50, 0, 70, 80};
  const auto made = plan_removal(before, options);
  EXPECT_THAT(made.removals, ElementsAre(netfilter::rule_place{"DOCKER", 50}, netfilter::rule_place{"PREROUTING", 70},
                                         netfilter::rule_place{"POSTROUTING", 80}));
  EXPECT_THAT(made.changes, ElementsAre(testing::StartsWith("-D DOCKER")));
  EXPECT_THAT(made.grown, IsEmpty());
  const auto pair = plan(before, all_of({wanted_by("b", key("::1", 82))}));
  EXPECT_THAT(pair.removals, SizeIs(2)) << "the exclusion comes, and the pair again behind it, before the old one goes";
  EXPECT_THAT(pair.changes, ElementsAre(testing::StartsWith("-D DOCKER"), direct_82, pair_in));
  EXPECT_THAT(pair.grown, ElementsAre("PREROUTING"));
}

TEST(RulePlan, AnEnginesRuleBehindOursIsNotShadowed) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") +
                               our_rule("a", 80, "172.17.0.2:80") + docker_rule("10.0.0.5", 80, "172.17.0.3:80"));
  const auto after = changed_by(before, plan(before, all_of({wanted_by("a", key("127.0.0.1", 80))})));
  EXPECT_EQ(lines_of(after, "DOCKER").back(), unquoted(our_rule("a", 80, "172.17.0.2:80")));
  EXPECT_THAT(lines_of(after, "DOCKER"), SizeIs(4));
}

TEST(RulePlan, ThePairMovesBehindAJumpThatComesLater) {
  const auto before = table_of(pair_in + "\n" + docker_jumps + pair_out + "\n");
  const auto made = plan(before, {});
  EXPECT_THAT(made.changes, SizeIs(2));
  EXPECT_EQ(lines_of(changed_by(before, made), "PREROUTING").back(), pair_in);
}

TEST(RulePlan, WithoutAnEnginesJumpThereIsNoPairAndPortsAreRelayed) {
  const auto before = table_of(docker_rule("127.0.0.1", 80, "172.17.0.2:80") + our_rule("a", 80, "172.17.0.2:80") +
                               pair_in + "\n" + pair_out + "\n");
  EXPECT_FALSE(has_engine(before, options));
  const auto made = plan(before, all_of({wanted_by("a", key("127.0.0.1", 80))}));
  EXPECT_FALSE(made.pair);
  EXPECT_THAT(made.changes, SizeIs(3));  // all of ours go
  ASSERT_THAT(made.relayed, SizeIs(1));
  EXPECT_THAT(made.relayed[0].listen, ElementsAre(tap, veth));
}

TEST(RulePlan, ThePairServesTheTapForListenersOnLoopback) {
  const auto made =
      plan(table_of(docker_jumps), all_of({wanted_by("a", key("127.0.0.1", 81)), wanted_by("b", key("::1", 82))}));
  ASSERT_THAT(made.relayed, SizeIs(2));
  EXPECT_THAT(made.relayed[0].listen, ElementsAre(veth));
  EXPECT_THAT(made.relayed[1].listen, ElementsAre(tap, veth));
  EXPECT_EQ(made.changes[0], direct_82);
  EXPECT_EQ(made.changes[1], pair_in);
}

// Ports of CNI's nftables backend, whose rules are in no table of iptables.
TEST(RulePlan, ThePairServesNoPortsThatOnlyRulesPublish) {
  auto wanted = wanted_by("a", key("127.0.0.1", 82));
  wanted.source = ports::source_id::iptables;
  const auto made = plan(table_of(docker_jumps), all_of({wanted}));
  ASSERT_THAT(made.relayed, SizeIs(1));
  EXPECT_THAT(made.relayed[0].listen, ElementsAre(tap, veth));
  EXPECT_THAT(made.changes, Contains(direct_82));
}

// They may be asked behind the pair.
TEST(RulePlan, ThePairIsPassedByForPortsThatAreSentElsewhere) {
  auto beside = machine;
  beside.sent_elsewhere = {82};
  const auto made = plan(table_of(docker_jumps), {}, beside);
  EXPECT_THAT(made.changes, ElementsAre(direct_82, pair_in, pair_out));
  EXPECT_THAT(made.owners[0], ports::port_key{});
  const auto both = plan(table_of(docker_jumps), all_of({wanted_by("b", key("::1", 82))}), beside);
  EXPECT_THAT(both.changes, ElementsAre(direct_82, pair_in, pair_out));
  EXPECT_THAT(plan(table_of(""), {}, beside).changes, IsEmpty()) << "no pair";
}

TEST(RulePlan, AListenerBehindAnEnginesRuleIsLeftToTheContainersClaim) {
  const auto proxy = wanted_by("", key("127.0.0.1", 8080), 0), server = wanted_by("", key("127.0.0.1", 9000), 0);
  const auto made =
      plan(table_of(docker_jumps + docker_rule("127.0.0.1", 8080, "172.17.0.2:80")), all_of({proxy, server}));
  EXPECT_THAT(made.changes, SizeIs(2)) << "the pair alone";
  ASSERT_THAT(made.relayed, SizeIs(1));
  EXPECT_EQ(made.relayed[0].key, server.key);
}

TEST(RulePlan, UdpIsRelayedBesideThePair) {
  auto wanted = wanted_by("a", key("127.0.0.1", 81));
  wanted.key.protocol = net::protocol::udp;
  const auto made = plan(table_of(docker_jumps), all_of({wanted}));
  ASSERT_THAT(made.relayed, SizeIs(1));
  EXPECT_THAT(made.relayed[0].listen, ElementsAre(tap, veth));
  EXPECT_EQ(made.changes[0], pair_in) << "no exclusion: the pair leaves UDP alone";
}

TEST(RulePlan, APortOnTheTapAddressItselfIsLeftToItsListener) {
  const auto made = plan(table_of(docker_jumps), all_of({wanted_by("a", key("192.168.127.2", 82))}));
  EXPECT_THAT(made.relayed[0].listen, ElementsAre(veth));
  EXPECT_EQ(made.changes[0], direct_82);
  EXPECT_THAT(plan(table_of(docker_jumps), all_of({wanted_by("a", key("192.168.143.1", 82))})).relayed[0].listen,
              ElementsAre(tap));
}

TEST(RulePlan, AnExclusionComesBeforeThePairThatIsThere) {
  const auto wanted = all_of({wanted_by("b", key("::1", 82))});
  const auto before = table_of(docker_jumps + pair_in + "\n" + pair_out + "\n");
  const auto after = changed_by(before, plan(before, wanted));
  EXPECT_THAT(lines_of(after, "PREROUTING"), ElementsAre(testing::_, direct_82, pair_in));
  EXPECT_THAT(plan(after, wanted).changes, IsEmpty());
  EXPECT_THAT(lines_of(changed_by(after, plan(after, {})), "PREROUTING"), ElementsAre(testing::_, pair_in));
}

TEST(RulePlan, WithoutATapInterfaceThereIsNoPairButTheRules) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  const auto made =
      plan(before, all_of({wanted_by("a", key("127.0.0.1", 80)), wanted_by("b", key("::1", 82))}), {"", {veth}});
  EXPECT_FALSE(made.pair);
  EXPECT_THAT(made.changes, ElementsAre(unquoted(our_rule("a", 80, "172.17.0.2:80"))));
  EXPECT_THAT(made.relayed[0].listen, ElementsAre(veth));
}

TEST(RulePlan, AnOwnerThatIsNoPlainIdNeverGetsIntoARule) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  for (const auto& owner : std::vector<std::string>{"a b", "x\n-F", "\"", std::string(201, 'a')}) {
    const auto made = plan(before, all_of({wanted_by(owner, key("127.0.0.1", 80))}));
    EXPECT_THAT(made.relayed, SizeIs(1)) << owner;
    EXPECT_THAT(made.changes, ElementsAre(pair_in, pair_out)) << owner;
  }
}

TEST(RulePlan, ARuleThatTheKernelDoesNotTakeIsRelayed) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  const auto made =
      plan_rules(before, all_of({wanted_by("a", key("127.0.0.1", 80))}), {key("127.0.0.1", 80)}, machine, options);
  EXPECT_THAT(made.relayed, SizeIs(1));
}

TEST(RulePlan, OtherAgentsRulesAreForeign) {
  const auto theirs =
      "-A PREROUTING -d 192.168.127.2/32 -i eth0 -m comment --comment \"other:pair\" -j DNAT --to-destination "
      "127.0.0.1\n";
  const auto before = table_of(docker_jumps + theirs + pair_in + "\n" + pair_out + "\n");
  EXPECT_THAT(plan(before, {}).changes, IsEmpty());
  EXPECT_THAT(plan_removal(before, options).changes, SizeIs(2));
  const auto swapped = table_of(docker_jumps + pair_in + "\n" + theirs + pair_out + "\n");
  EXPECT_THAT(plan(swapped, {}).changes, IsEmpty());  // two agents do not push each other aside for ever
}

// As CNI's portmap plugin writes them, the chain's name behind "CNI-DN-" and the container's id as it knows it.
nat_table cni_table(const std::vector<std::pair<std::string, std::string>>& chains) {
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
  return parse_nat_table(heads + rules + "COMMIT\n").value();
}
rule_plan cni_plan(const nat_table& table, const std::string& owner) {
  rule_options cni;
  cni.engines.push_back({"CNI-HOSTPORT-DNAT", "CNI-DN-*", ports::source_id::containerd});
  return plan_rules(table, all_of({wanted_by(owner, key("127.0.0.1", 8080))}), {}, machine, cni);
}
std::string cni_rule(const std::string& chain, const std::string& owner, const std::string& target) {
  return "-A CNI-DN-" + chain + " -p tcp -m tcp --dport 8080 -m comment --comment rancher-desktop-guestagent:" + owner +
         " -j DNAT --to-destination " + target;
}

TEST(RulePlan, CniChainsWorkTheSameWay) {
  const auto table = cni_table({{"abc", "default-web"}});
  EXPECT_THAT(cni_plan(table, "default/web").changes, Contains(cni_rule("abc", "default/web", "10.4.0.7:80")));
}

TEST(RulePlan, AChainThatADeadContainerHasLeftIsNotTakenForALiveOne) {
  const auto both = cni_table({{"old", "default-old"}, {"new", "k8s.io-new"}});
  const auto made = cni_plan(both, "k8s.io/new");
  EXPECT_THAT(made.changes, Contains(cni_rule("new", "k8s.io/new", "10.4.0.8:80")));
  EXPECT_THAT(made.changes, Not(Contains(testing::HasSubstr("CNI-DN-old"))));
  const auto alone = cni_plan(cni_table({{"old", "default-old"}}), "default/new");
  EXPECT_THAT(alone.changes, Not(Contains(testing::HasSubstr("CNI-DN-old"))));
  EXPECT_THAT(alone.relayed, SizeIs(1)) << "whatever serves it, no rule does";
}

TEST(RulePlan, AnIdThatThePluginHasCutTellsNothing) {
  auto table = cni_table({{"abc", "default-web"}});
  for (auto& r : table.rules)
    for (auto& word : r.words)
      if (word.starts_with("dnat name")) word.resize(word.size() - 4);
  EXPECT_THAT(cni_plan(table, "default/web").changes, Contains(cni_rule("abc", "default/web", "10.4.0.7:80")));
}

TEST(RulePlan, ThePairDoesNotServeAContainerOfContainerdWithoutAChain) {
  const auto table = table_of(docker_jumps);
  auto wanted = all_of({wanted_by("default/web", key("127.0.0.1", 82))});
  wanted.begin()->second.source = ports::source_id::containerd;
  const auto made = plan(table, wanted);
  ASSERT_THAT(made.relayed, SizeIs(1));
  EXPECT_THAT(made.relayed[0].listen, ElementsAre(tap, veth));
  EXPECT_THAT(made.changes, Contains(direct_82));
}

TEST(RulePlan, WhatIsHeldIsTheEnginesWhoseChainItIs) {
  rule_options cni;
  cni.engines.push_back({"CNI-HOSTPORT-DNAT", "CNI-DN-*", ports::source_id::containerd});
  auto table = cni_table({{"abc", "default-web"}});
  table = changed_by(table, cni_plan(table, "default/web"));
  const auto held = find_held(table, {}, cni);
  ASSERT_THAT(held, SizeIs(1));
  EXPECT_EQ(held.begin()->second.source, ports::source_id::containerd);
  EXPECT_EQ(held.begin()->second.owner, "default/web");
}

TEST(RulePlan, BehindAnInterfaceOfTheWholeVmThereIsNoPair) {
  // As look_at_machine() has it in privileged-service mode: addresses, and no tap interface.
  const net::address eth0 = net::address::v4(172, 26, 1, 5);
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 8080, "172.17.0.2:80"));
  const auto made = plan(before, all_of({wanted_by("a", key("127.0.0.1", 8080)), wanted_by("b", key("127.0.0.1", 81))}),
                         {"", {eth0}});
  EXPECT_FALSE(made.pair);
  ASSERT_THAT(made.changes, SizeIs(1));
  EXPECT_EQ(lines_of(changed_by(before, made), "DOCKER").back(), unquoted(our_rule("a", 8080, "172.17.0.2:80")));
  ASSERT_THAT(made.relayed, SizeIs(1));
  EXPECT_EQ(made.relayed[0].key, key("127.0.0.1", 81));
  EXPECT_THAT(made.relayed[0].listen, ElementsAre(eth0));
}

}  // namespace
}  // namespace loopback
