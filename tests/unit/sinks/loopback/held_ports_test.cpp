#include "sinks/loopback/held_ports.hpp"

#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using testing::SizeIs;

TEST(held_ports, a_live_rule_is_found_with_its_key) {
  const auto table = table_of(docker_jumps + own_chain + docker_rule("10.0.0.5", 8080, "172.17.0.2:81") +
                              our_rule("abc", 8080, "172.17.0.2:81"));
  const auto found = held(table);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.begin()->second, wanted_by("abc", key("10.0.0.5", 8080), 81));
}

TEST(held_ports, a_rule_to_a_listener_is_found_and_a_relays_is_not) {
  const auto table = table_of(docker_jumps + own_chain + own_rule("listener", 9000, "127.0.0.1") +
                              own_rule("abc", 9001, "127.0.0.1") + own_rule("listener", 53, ":40053", "udp"));
  const auto found = held(table);
  EXPECT_THAT(found, SizeIs(2));
  EXPECT_EQ(found.at(key("127.0.0.1", 9000)).owner, "");
  EXPECT_EQ(found.at(key("127.0.0.1", 9001)).owner, "abc");
  EXPECT_THAT(chain(changed_by(table, plan(table, found))), SizeIs(2)) << "nothing listens for the relay's rule";
}

TEST(held_ports, a_held_port_is_of_the_engine_whose_chain_publishes_it) {
  auto table = cni_table({{"abc", "default-web"}});
  table = changed_by(table, plan(table, all_of({wanted_by("default/web", key("127.0.0.1", 8080))}), {}, with_cni()));
  const auto found = held(table, {}, with_cni());
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.begin()->second.served, ports::serving::nat_rule);
  EXPECT_EQ(found.begin()->second.owner, "default/web");
}

}  // namespace
}  // namespace loopback
