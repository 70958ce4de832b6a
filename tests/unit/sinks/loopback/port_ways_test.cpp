#include "sinks/loopback/port_ways.hpp"

#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::SizeIs;

const auto udp = net::protocol::udp;

TEST(port_ways, the_address_that_has_the_port_keeps_it) {
  const auto table = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") +
                              docker_rule("127.0.0.2", 80, "172.17.0.3:80"));
  const auto both = all_of({wanted_by("a", key("127.0.0.1", 80)), wanted_by("b", key("127.0.0.2", 80))});
  const auto chosen = choose_ways(engine_rules(table, options), both, {key("127.0.0.2", 80)}, {}, options);
  ASSERT_THAT(chosen.served, SizeIs(1));
  EXPECT_EQ(chosen.served.front().wanted.key, key("127.0.0.2", 80));
  EXPECT_THAT(chosen.losers, ElementsAre(Pair(key("127.0.0.1", 80), HasSubstr("127.0.0.2"))));
}

TEST(port_ways, of_two_targets_of_one_port_one_is_served_and_the_other_named) {
  const auto table = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80") +
                              docker_rule("127.0.0.2", 80, "172.17.0.3:80"));
  const auto both = all_of({wanted_by("a", key("127.0.0.1", 80)), wanted_by("b", key("127.0.0.2", 80))});
  EXPECT_THAT(ways(table, both).losers, ElementsAre(Pair(key("127.0.0.2", 80), HasSubstr("tcp 127.0.0.1:80"))));
  EXPECT_THAT(chain(changed_by(table, plan(table, both))), ElementsAre(HasSubstr(":a ")));
}

TEST(port_ways, a_listener_on_loopback_is_reached_directly) {
  const auto wanted = all_of({listener(key("127.0.0.1", 9000)), listener(key("127.0.0.53", 9001))});
  const auto made = plan(table_of(docker_jumps), wanted);
  EXPECT_TRUE(made.localnet);
  EXPECT_THAT(
      chain(changed_by(table_of(docker_jumps), made)),
      ElementsAre(line(own_rule("listener", 9000, "127.0.0.1")), line(own_rule("listener", 9001, "127.0.0.53"))));
}

TEST(port_ways, a_listener_on_another_address_needs_no_route_localnet) {
  const auto made = plan(table_of(docker_jumps), all_of({listener(key("10.0.0.5", 9000))}), {.localnet = false});
  EXPECT_FALSE(made.localnet);
  EXPECT_THAT(made.change.lines, Contains(line(own_rule("listener", 9000, "10.0.0.5"))));
}

TEST(port_ways, without_route_localnet_a_listener_on_loopback_is_relayed) {
  const auto made = plan(table_of(docker_jumps), all_of({listener(key("127.0.0.1", 9000))}), {.localnet = false});
  EXPECT_FALSE(made.localnet);
  EXPECT_THAT(made.change.lines, Contains(line(own_rule("listener", 9000, ":19000"))));
}

TEST(port_ways, udp_and_ipv6_are_relayed_behind_a_rule) {
  const auto wanted = all_of({listener(key("127.0.0.1", 81, udp)), listener(key("::1", 82))});
  const auto table = table_of(docker_jumps);
  EXPECT_THAT(chain(changed_by(table, plan(table, wanted))),
              testing::UnorderedElementsAre(line(own_rule("listener", 81, ":10081", "udp")),
                                            line(own_rule("listener", 82, ":10082"))));
  EXPECT_EQ(target_of(key("::1", 82), options), (net::endpoint{net::address::loopback_v6(), 82}));
}

// docker-proxy, or rules that a connection from the VM itself meets.
TEST(port_ways, a_published_port_without_a_rule_is_relayed) {
  auto wanted = all_of({wanted_by("a", key("127.0.0.1", 82))});
  for (const auto served : {ports::serving::rule_and_proxy, ports::serving::nat_rule}) {
    wanted.begin()->second.served = served;
    const auto made = plan(table_of(docker_jumps), wanted);
    EXPECT_THAT(made.change.lines, Contains(line(own_rule("a", 82, ":10082"))));
  }
}

TEST(port_ways, a_port_on_the_peers_own_address_stays_with_its_listener) {
  const auto wanted = all_of({wanted_by("a", key("192.168.127.2", 82)), wanted_by("b", key("192.168.127.2", 83, udp))});
  const auto made = plan(table_of(docker_jumps), wanted);
  EXPECT_THAT(made.change.lines, Contains(line(own_rule("a", 82, "192.168.127.2"))));
  EXPECT_THAT(made.change.lines, Contains(line(own_rule("b", 83, "192.168.127.2", "udp"))));
}

TEST(port_ways, without_an_engine_rules_serve_listeners_as_well) {
  const auto wanted = all_of({listener(key("127.0.0.1", 81)), wanted_by("a", key("127.0.0.1", 80))});
  const auto before = table_of(docker_rule("127.0.0.1", 80, "172.17.0.2:80"));  // nothing jumps there
  EXPECT_FALSE(engine_rules(before, options).active());
  EXPECT_THAT(chain(changed_by(before, plan(before, wanted))),
              ElementsAre(line(own_rule("a", 80, ":10080")), line(own_rule("listener", 81, "127.0.0.1"))));
}

TEST(port_ways, a_listener_behind_an_engines_rule_is_left_to_the_containers_claim) {
  const auto table = table_of(docker_jumps + docker_rule("127.0.0.1", 8080, "172.17.0.2:80"));
  const auto made = plan(table, all_of({listener(key("127.0.0.1", 8080)), listener(key("127.0.0.1", 9000))}));
  EXPECT_THAT(chain(changed_by(table, made)), ElementsAre(line(own_rule("listener", 9000, "127.0.0.1"))));
}

TEST(port_ways, an_owner_that_is_no_plain_id_never_gets_into_a_rule) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  for (const auto& owner : std::vector<std::string>{"a b", "x\n-F", "\"", std::string(201, 'a')}) {
    const auto after = changed_by(before, plan(before, all_of({wanted_by(owner, key("127.0.0.1", 80))})));
    EXPECT_THAT(chain(after), ElementsAre(line(own_rule("unnamed", 80, ":10080")))) << owner;
  }
}

TEST(port_ways, a_rejected_rule_is_relayed_in_place) {
  const auto before = table_of(docker_jumps + docker_rule("127.0.0.1", 80, "172.17.0.2:80"));
  const auto wanted = all_of({wanted_by("a", key("127.0.0.1", 80)), listener(key("127.0.0.1", 81))});
  const way_limits limits{.rejected = {key("127.0.0.1", 80)}};
  EXPECT_EQ(ways(before, wanted, limits).served.at(0).by, way::relayed_in_place);
  EXPECT_THAT(chain(changed_by(before, plan(before, wanted, limits))), ElementsAre(HasSubstr("--dport 81")));
  for (const auto& port : ways(before, wanted, {.rules = false}).served) EXPECT_EQ(port.by, way::relayed_in_place);
}

}  // namespace
}  // namespace loopback
