#include "sinks/loopback/rule_plan.hpp"

#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

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
  EXPECT_THAT(plan(after, wanted).change.lines, IsEmpty());
}

TEST(rule_plan, with_nothing_wanted_there_is_nothing) {
  EXPECT_THAT(plan(table_of(docker_jumps), {}).change.lines, IsEmpty());
  const auto before = table_of(docker_jumps + own_chain + own_jumps + our_rule("a", 80, "172.17.0.2:80"));
  const auto after = changed_by(before, plan(before, {}));
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
  EXPECT_TRUE(netfilter::own_rules(before, tag).lead_to_loopback());
  const auto clean = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  EXPECT_EQ(changed_by(before, plan(before, {})), clean);
  const auto after = changed_by(before, plan(before, all_of({wanted_by("a", key("127.0.0.1", 80))})));
  EXPECT_THAT(chain(after), SizeIs(1));
  EXPECT_EQ(lines_of(after, "DOCKER"), lines_of(clean, "DOCKER"));
  EXPECT_EQ(lines_of(after, "POSTROUTING"), lines_of(clean, "POSTROUTING"));
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
  EXPECT_THAT(plan(after, one).change.lines, IsEmpty());
}

TEST(rule_plan, doubles_go) {
  const auto wanted = all_of({wanted_by("abc", key("127.0.0.1", 80))});
  const auto ours = our_rule("abc", 80, "172.17.0.2:80");
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") + own_chain + ours + ours +
                               own_jumps + own_jumps);
  const auto after = changed_by(before, plan(before, wanted));
  EXPECT_THAT(chain(after), SizeIs(1));
  EXPECT_THAT(lines_of(after, "PREROUTING"), SizeIs(3));
  EXPECT_THAT(plan(after, wanted).change.lines, IsEmpty());
}

TEST(rule_plan, rules_go_by_their_handles_where_these_are_known) {
  auto before = table_of(docker_jumps + own_chain + docker_rule("127.0.0.1", 82, "172.17.0.2:80") + own_jumps +
                         own_rule("gone", 80, "127.0.0.1") + own_rule("odd", 81, "127.0.0.1"));
  before.handles = {1, 2, 3, 4, 5, 60, 70, 80, 0};
  const auto made = plan(before, all_of({wanted_by("b", key("127.0.0.1", 82))}));
  EXPECT_THAT(made.change.removals, ElementsAre(netfilter::rule_place{tag, 80}));
  EXPECT_THAT(made.change.lines, ElementsAre(StartsWith("-D " + tag), StartsWith("-A " + tag)))
      << "the new rule is there before the old one goes by its handle";
  EXPECT_THAT(made.change.grown, ElementsAre(tag));
  EXPECT_THAT(plan(before, {}).change.removals, IsEmpty()) << "the chain goes as a whole";
}

TEST(rule_plan, our_jumps_move_behind_a_jump_that_comes_later) {
  const auto wanted = all_of({listener(key("127.0.0.1", 9000))});
  const auto before = table_of(own_chain + own_jumps + docker_jumps + own_rule("listener", 9000, "127.0.0.1"));
  const auto after = changed_by(before, plan(before, wanted));
  EXPECT_THAT(lines_of(after, "PREROUTING"), ElementsAre(HasSubstr("DOCKER"), HasSubstr(tag), HasSubstr(tag)));
  EXPECT_THAT(plan(after, wanted).change.lines, IsEmpty());
}

// kube-proxy's nftables and IPVS modes answer at the primary address only.
TEST(rule_plan, a_services_port_is_relayed_from_the_veth_to_the_taps_address) {
  const ports::forward node_port{key("0.0.0.0", 30080), 0, {}, "uid", ports::serving::every_address};
  const auto made = plan(table_of(docker_jumps), all_of({node_port}));
  EXPECT_THAT(made.change.lines, Contains(line(own_rule("uid", 30080, ":40080", "tcp", "-d 192.168.143.1/32 "))));
  EXPECT_EQ(target_of(node_port.key, options), (net::endpoint{options.tap, 30080}));
  const auto after = changed_by(table_of(docker_jumps), made);
  EXPECT_THAT(held(after), IsEmpty());
  EXPECT_THAT(plan(after, all_of({node_port})).change.lines, IsEmpty());
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

TEST(rule_plan, other_agents_rules_are_foreign) {
  auto other = own_chain + own_jumps + own_rule("x", 80, "127.0.0.1");
  for (std::size_t at = 0; (at = other.find(tag, at)) != std::string::npos; at += 5)
    other.replace(at, tag.size(), "other");
  const auto before = table_of(docker_jumps + other);
  EXPECT_THAT(plan(before, {}).change.lines, IsEmpty());
  EXPECT_THAT(held(before), IsEmpty());
  const auto wanted = all_of({listener(key("127.0.0.1", 80))});
  const auto both = changed_by(before, plan(before, wanted));
  rule_options others;
  others.tag = "other";
  const auto settled = changed_by(both, plan(both, wanted, {}, others));
  EXPECT_THAT(settled.rules, SizeIs(both.rules.size()));
}

TEST(rule_plan, an_interface_of_the_whole_vm_never_gets_route_localnet) {
  rule_options whole;
  whole.interface = "eth0";
  const auto eth0 = net::address::v4(172, 26, 1, 5);
  const machine_state there{{{"eth0", eth0, net::cidr(eth0, 20)}}};
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
