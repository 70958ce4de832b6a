#include "ports/exposure_policy.hpp"

#include <gmock/gmock.h>

#include "tests/unit/ports/planned.hpp"

namespace ports {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

binding make(const char* address, std::uint16_t port, net::protocol protocol = net::protocol::tcp) {
  return {protocol, net::address::parse(address).value(), port, 80, "c1", "web"};
}
binding make_served(serving how, const char* address, std::uint16_t port, net::protocol protocol = net::protocol::tcp) {
  auto made = make(address, port, protocol);
  made.served = how;
  return made;
}
// A binding as the source's own code makes it.
serving served_by(source_id source) {
  if (source == source_id::docker) return serving::rule_and_proxy;
  if (source == source_id::kubernetes) return serving::every_address;
  if (source == source_id::listeners) return serving::host_listener;
  return source == source_id::fixed ? serving::announced : serving::nat_rule;
}
planned plan(std::vector<binding> bindings, network_mode mode = network_mode::network_tunnel) {
  port_table table;
  table.publish(source_id::docker, {std::move(bindings), {}, 1});
  return planned(plan_exposure(table, {mode}));
}
std::vector<std::string> keys(const forward_map& forwards) {
  std::vector<std::string> texts;
  for (const auto& [key, f] : forwards) texts.push_back(to_string(key));
  return texts;
}

TEST(exposure_policy, tunnel_binds_what_was_asked_for) {
  const auto p = plan({make("0.0.0.0", 80), make("::", 80), make("127.0.0.1", 443)});
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 0.0.0.0:80", "tcp 127.0.0.1:443"));
  EXPECT_EQ(keys(p.host), keys(p.wsl));
  EXPECT_THAT(keys(p.loopback), testing::ElementsAre("tcp 127.0.0.1:443"));
}

TEST(exposure_policy, each_peer_gets_only_what_it_holds) {
  const auto p = plan({make("127.0.0.1", 8080)});
  EXPECT_EQ(p.host.begin()->second.container_port, 0);
  EXPECT_EQ(p.wsl.begin()->second.container_port, 80);
  EXPECT_EQ(p.wsl.begin()->second.owner, "");
  EXPECT_EQ(p.loopback.begin()->second.owner, "c1");
}

TEST(exposure_policy, listeners_are_held_for_ports_that_rules_alone_publish) {
  port_table table;
  table.publish(source_id::docker, {{make("0.0.0.0", 8080)}, {}, 1});
  const auto by_rule = [](const char* address, std::uint16_t port, net::protocol protocol = net::protocol::tcp) {
    return make_served(serving::nat_rule, address, port, protocol);
  };
  table.publish(
      source_id::iptables,
      {{by_rule("0.0.0.0", 8080), by_rule("0.0.0.0", 8081), by_rule("0.0.0.0", 8081, net::protocol::udp)}, {}, 1});
  table.publish(source_id::containerd, {{by_rule("127.0.0.1", 8082)}, {}, 1});
  EXPECT_THAT(keys(planned(plan_exposure(table, {network_mode::non_admin})).listeners),
              testing::ElementsAre("tcp 127.0.0.1:8081", "tcp 127.0.0.1:8082"));
}

TEST(exposure_policy, loopback_keeps_the_address_inside_the_vm) {
  EXPECT_THAT(keys(plan({make("::1", 8080)}).loopback), testing::ElementsAre("tcp [::1]:8080"));
  EXPECT_THAT(keys(plan({make("10.0.0.5", 8080)}).loopback), testing::ElementsAre("tcp 10.0.0.5:8080"));
  EXPECT_THAT(keys(plan({make("10.0.0.5", 8080)}).host), testing::ElementsAre("tcp 127.0.0.1:8080"));
}

TEST(exposure_policy, the_wildcard_covers_the_loopback_address_while_both_are_wanted) {
  const auto both = plan({make("0.0.0.0", 80), make("127.0.0.1", 80)});
  EXPECT_THAT(keys(both.host), testing::ElementsAre("tcp 0.0.0.0:80"));
  EXPECT_THAT(both.loopback, IsEmpty());
  ASSERT_THAT(both.ports, SizeIs(2));
  EXPECT_EQ(both.ports[1].decision, verdict::covered);
  EXPECT_THAT(keys(plan({make("127.0.0.1", 80)}).host), testing::ElementsAre("tcp 127.0.0.1:80"));
}

TEST(exposure_policy, non_admin_binds_to_loopback_and_restricts_privileged_ports) {
  const auto p = plan({make("0.0.0.0", 8080), make("127.0.0.1", 8080), make("0.0.0.0", 1023), make("0.0.0.0", 1024)},
                      network_mode::non_admin);
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 127.0.0.1:1024", "tcp 127.0.0.1:8080"));
  ASSERT_THAT(p.ports, SizeIs(3));
  EXPECT_EQ(p.ports[0].decision, verdict::restricted);
  EXPECT_THAT(p.ports[0].reason, testing::HasSubstr("1024"));
  EXPECT_THAT(p.ports[2].claims, SizeIs(2));
}

TEST(exposure_policy, sctp_is_named_as_unsupported) {
  const auto p = plan({make("0.0.0.0", 8080, net::protocol::sctp)});
  EXPECT_THAT(p.host, IsEmpty());
  ASSERT_THAT(p.ports, SizeIs(1));
  EXPECT_EQ(p.ports[0].decision, verdict::unsupported);
}

planned plan_of(source_id source, binding b, network_mode mode = network_mode::network_tunnel) {
  port_table table;
  b.served = served_by(source);
  table.publish(source, {{std::move(b)}, {}, 1});
  return planned(plan_exposure(table, {mode}));
}

// Whatever address the host is to have: at which of the VM's a Service answers is kube-proxy's choice.
TEST(exposure_policy, services_are_brought_from_other_addresses_to_the_one_that_answers) {
  const auto p = plan_of(source_id::kubernetes, make("127.0.0.1", 30'080));
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 127.0.0.1:30080"));
  EXPECT_EQ(keys(p.host), keys(p.wsl));
  EXPECT_THAT(keys(p.loopback), testing::ElementsAre("tcp 0.0.0.0:30080"));
  EXPECT_EQ(p.ports.at(0).bound, std::nullopt);
  const auto whole = plan_of(source_id::kubernetes, make("0.0.0.0", 30'080), network_mode::privileged_service);
  EXPECT_THAT(whole.loopback, IsEmpty());
}

TEST(exposure_policy, a_service_beside_a_claim_of_every_address_needs_no_help) {
  port_table table;
  table.publish(source_id::kubernetes, {{make_served(serving::every_address, "0.0.0.0", 80)}, {}, 1});
  table.publish(source_id::listeners, {{make_served(serving::host_listener, "0.0.0.0", 80)}, {}, 1});
  EXPECT_THAT(planned(plan_exposure(table, {network_mode::network_tunnel})).loopback, IsEmpty());
}

TEST(exposure_policy, a_static_port_is_for_the_other_distributions_alone) {
  for (const auto mode : {network_mode::network_tunnel, network_mode::non_admin}) {
    const auto p = plan_of(source_id::fixed, make("127.0.0.1", 443), mode);
    EXPECT_THAT(p.host, IsEmpty());
    EXPECT_THAT(keys(p.wsl), testing::ElementsAre("tcp 127.0.0.1:443"));
    EXPECT_THAT(p.loopback, IsEmpty());
  }
}

TEST(exposure_policy, a_static_port_that_a_container_publishes_too_is_for_the_host_as_well) {
  port_table table;
  table.publish(source_id::fixed, {{make_served(serving::announced, "127.0.0.1", 6443)}, {}, 1});
  table.publish(source_id::docker, {{make("127.0.0.1", 6443)}, {}, 1});
  const auto p = planned(plan_exposure(table, {network_mode::network_tunnel}));
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 127.0.0.1:6443"));
  EXPECT_THAT(keys(p.loopback), testing::ElementsAre("tcp 127.0.0.1:6443"));
}

binding listener(const char* address, std::uint16_t port, serving served = serving::host_listener) {
  return {net::protocol::tcp, net::address::parse(address).value(), port, port, "listener", "", served};
}
planned plan_of_both(std::vector<binding> docker, std::vector<binding> listeners) {
  port_table table;
  table.publish(source_id::docker, {std::move(docker), {}, 1});
  table.publish(source_id::listeners, {std::move(listeners), {}, 1});
  return planned(plan_exposure(table, {network_mode::network_tunnel, true}));
}

TEST(exposure_policy, listeners_on_loopback_need_help_and_wildcards_need_none) {
  const auto p =
      plan_of_both({}, {listener("127.0.0.1", 80), listener("::1", 81), listener("0.0.0.0", 82), listener("::", 83)});
  EXPECT_THAT(keys(p.host),
              testing::ElementsAre("tcp 0.0.0.0:82", "tcp 0.0.0.0:83", "tcp 127.0.0.1:80", "tcp 127.0.0.1:81"));
  EXPECT_THAT(keys(p.loopback), testing::ElementsAre("tcp 127.0.0.1:80", "tcp [::1]:81"));
  EXPECT_EQ(p.loopback.begin()->second.owner, "");
}

TEST(exposure_policy, a_wildcard_of_ipv6_alone_is_reached_by_loopback) {
  const auto alone = plan_of_both({}, {listener("::", 80, serving::ipv6_listener)});
  EXPECT_THAT(keys(alone.host), testing::ElementsAre("tcp 0.0.0.0:80"));
  EXPECT_THAT(keys(alone.loopback), testing::ElementsAre("tcp [::1]:80"));
  EXPECT_EQ(alone.ports[0].bound, alone.loopback.begin()->first);
  EXPECT_THAT(plan_of_both({}, {listener("0.0.0.0", 80), listener("::", 80, serving::ipv6_listener)}).loopback,
              IsEmpty());
  EXPECT_THAT(plan_of_both({make("0.0.0.0", 80)}, {listener("::", 80, serving::ipv6_listener)}).loopback, IsEmpty());
}

// docker-proxy listens on [::] for IPv6 alone then.
TEST(exposure_policy, a_publication_of_ipv6_alone_is_reached_by_loopback) {
  for (const auto source : {source_id::docker, source_id::containerd, source_id::iptables}) {
    const auto p = plan_of(source, make("::", 8090));
    EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 0.0.0.0:8090"));
    EXPECT_THAT(keys(p.loopback), testing::ElementsAre("tcp [::1]:8090"));
    EXPECT_EQ(p.ports[0].bound, p.loopback.begin()->first);
  }
  EXPECT_THAT(plan({make("0.0.0.0", 8090), make("::", 8090)}).loopback, IsEmpty()) << "both families";
  EXPECT_THAT(plan_of_both({make("::", 8090)}, {listener("0.0.0.0", 8090)}).loopback, IsEmpty());
}

// ---- claims of one port of the host with different targets ----

binding of_container(const char* address, const char* owner, std::uint16_t port = 8080) {
  auto made = make(address, port);
  made.owner = owner;
  made.owner_name = owner;
  return made;
}

TEST(exposure_policy, of_two_containers_on_one_port_of_the_host_one_is_served_and_the_other_is_shown) {
  const auto p = plan({of_container("127.0.0.2", "b"), of_container("127.0.0.1", "a"), of_container("10.0.0.5", "c")});
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 127.0.0.1:8080"));
  ASSERT_THAT(p.ports, SizeIs(3));
  const auto& served = p.ports[0];
  EXPECT_EQ(served.decision, verdict::exposed);
  ASSERT_THAT(served.claims, SizeIs(1));
  EXPECT_EQ(p.loopback.at(*served.bound).owner, served.claims[0].what.owner);
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_EQ(p.ports[i].decision, verdict::shadowed);
    EXPECT_EQ(p.ports[i].reason, "tcp 127.0.0.1:8080 on the host leads to " + served.bound->address.to_string() +
                                     " of " + served.claims[0].what.owner.str());
    EXPECT_EQ(to_string(p.ports[i].key), to_string(raw_key(p.ports[i].claims[0].what)));
  }
}

TEST(exposure_policy, who_is_served_does_not_depend_on_the_order_of_their_coming) {
  const auto one = plan({of_container("127.0.0.2", "b"), of_container("127.0.0.1", "a")});
  const auto other = plan({of_container("127.0.0.1", "a"), of_container("127.0.0.2", "b")});
  EXPECT_EQ(one.loopback, other.loopback);
}

TEST(exposure_policy, one_target_at_two_addresses_shadows_nothing) {
  EXPECT_THAT(plan({of_container("127.0.0.1", "a"), of_container("::1", "a")}).ports, SizeIs(1));
  EXPECT_THAT(plan_of_both({}, {listener("127.0.0.1", 80), listener("::1", 80)}).ports, SizeIs(1)) << "localhost";
  EXPECT_THAT(plan_of_both({make("127.0.0.1", 80)}, {listener("127.0.0.1", 80)}).ports, SizeIs(1)) << "docker-proxy";
  EXPECT_THAT(plan_of_both({make("127.0.0.1", 80)}, {listener("127.0.0.2", 80)}).ports, SizeIs(2)) << "another server";
  const auto covered = plan({of_container("0.0.0.0", "a"), of_container("127.0.0.2", "b")});
  EXPECT_EQ(covered.ports[1].decision, verdict::covered);
}

TEST(exposure_policy, what_is_shadowed_in_non_admin_mode_is_shown_too) {
  const auto p = plan({of_container("127.0.0.1", "a"), of_container("127.0.0.2", "b")}, network_mode::non_admin);
  ASSERT_THAT(p.ports, SizeIs(2));
  EXPECT_EQ(p.ports[1].decision, verdict::shadowed);
}

TEST(exposure_policy, what_nothing_serves_stays_open_at_the_peers_alone) {
  const auto p =
      plan_of_both({}, {listener("127.0.0.1", 80, serving::reserved), listener("::", 81, serving::reserved)});
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 0.0.0.0:81", "tcp 127.0.0.1:80"));
  EXPECT_THAT(keys(p.wsl), SizeIs(2));
  EXPECT_THAT(p.loopback, IsEmpty());
}

// docker-proxy listens before the engine reports its container, and a little longer.
TEST(exposure_policy, a_containers_port_that_is_a_listener_too_changes_nothing_at_the_peers) {
  const auto listens = plan_of_both({}, {listener("127.0.0.1", 8080)}),
             both = plan_of_both({make("127.0.0.1", 8080)}, {listener("127.0.0.1", 8080)}),
             reported = plan_of_both({make("127.0.0.1", 8080)}, {});
  for (const auto part : {&planned::host, &planned::wsl})
    for (const auto* before : {&listens, &both, &reported})
      for (const auto* after : {&listens, &both, &reported}) {
        ASSERT_EQ(keys((after->*part)), keys((before->*part)));
        EXPECT_TRUE((after->*part).begin()->second.served_by((before->*part).begin()->second));
      }
  EXPECT_EQ(both.loopback, reported.loopback);
  EXPECT_TRUE(listens.loopback.begin()->second.served_by(both.loopback.begin()->second));
  EXPECT_FALSE(both.loopback.begin()->second.served_by(listens.loopback.begin()->second)) << "the rule names its owner";
}

TEST(exposure_policy, tcp_and_udp_of_one_number_are_both_exposed) {
  EXPECT_THAT(plan({make("0.0.0.0", 53), make("0.0.0.0", 53, net::protocol::udp)}).host, SizeIs(2));
}

}  // namespace
}  // namespace ports
