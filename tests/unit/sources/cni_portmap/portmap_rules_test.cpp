#include "sources/cni_portmap/portmap_rules.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace cni_portmap {
namespace {

using netfilter::family;
using netfilter::nat_chain;
using netfilter::nat_rule;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

nat_rule to(std::uint16_t port, const char* target, std::optional<net::address> at = {}) {
  return {.protocol = net::protocol::tcp, .destination = at, .port = port, .target = net::parse_endpoint(target)};
}
nat_rule jump(const std::string& chain, const std::string& comment = "") { return {.jump = chain, .comment = comment}; }
std::string to_text(const ports::binding& b) {
  return fmt::format("{} {}:{} -> {} of {} {}", net::to_string(b.protocol), b.host_address.to_string(), b.host_port,
                     b.container_port, b.owner.str(), b.owner_name.str());
}
std::vector<std::string> bindings(const ports::snapshot& s) {
  std::vector<std::string> lines;
  for (const auto& b : s.bindings) lines.push_back(to_text(b));
  return lines;
}
ports::snapshot read(const std::vector<nat_chain>& chains, family which = family::ipv4) {
  portmap_ports found;
  found.add_iptables(chains, which);
  return found.take();
}

TEST(portmap_rules, ports_of_containers_to_which_the_dispatch_chain_jumps) {
  const auto s = read({{"CNI-DN-a", {to(8080, "10.4.0.7:80"), to(8081, "10.4.0.7:81", net::address::loopback_v4())}},
                       {"CNI-DN-gone", {to(8082, "10.4.0.7:80")}},
                       {"CNI-HOSTPORT-DNAT",
                        {jump("CNI-HOSTPORT-SETMARK"), jump("CNI-DN-a", R"(dnat name: "bridge" id: "default-web")"),
                         jump("CNI-DN-a")}}});
  EXPECT_THAT(bindings(s), ElementsAre("tcp 0.0.0.0:8080 -> 80 of CNI-DN-a default-web",
                                       "tcp 127.0.0.1:8081 -> 81 of CNI-DN-a default-web"));
  EXPECT_EQ(s.bindings[0].served, ports::serving::nat_rule);
  EXPECT_THAT(s.refusals, IsEmpty());
}

// nerdctl leaves them until the container is started again or removed.
TEST(portmap_rules, of_a_container_that_does_not_run_publish_nothing) {
  portmap_ports found(net::address::any_v4(), [](std::string_view name) { return name == "default-web"; });
  found.add_iptables({{"CNI-DN-a", {to(8080, "10.4.0.7:80")}},
                      {"CNI-DN-b", {to(8081, "10.4.0.8:80")}},
                      {"CNI-HOSTPORT-DNAT",
                       {jump("CNI-DN-a", R"(dnat name: "bridge" id: "default-web")"),
                        jump("CNI-DN-b", R"(dnat name: "bridge" id: "default-other")")}}},
                     family::ipv4);
  auto left = to(8082, "10.4.0.7:80");
  left.comment = "default-web";
  found.add_nftables({left}, family::ipv4);
  const auto s = found.take();
  EXPECT_THAT(bindings(s), ElementsAre("tcp 0.0.0.0:8081 -> 80 of CNI-DN-b default-other"));
  ASSERT_EQ(s.refusals.size(), 2U);
  EXPECT_EQ(s.refusals[0], (ports::refusal{"CNI-DN-a", "8080/tcp", "the container default-web does not run"}));
}

TEST(portmap_rules, i_pv6_and_a_target_that_keeps_the_port) {
  const auto s =
      read({{"CNI-DN-a", {to(8080, "[fd00::7]:0")}}, {"CNI-HOSTPORT-DNAT", {jump("CNI-DN-a")}}}, family::ipv6);
  EXPECT_THAT(bindings(s), ElementsAre("tcp :::8080 -> 8080 of CNI-DN-a "));
}

TEST(portmap_rules, the_agents_own_copies_are_no_ports) {
  auto copy = to(8080, "10.4.0.7:80");
  copy.comment = "rancher-desktop-guestagent:web";
  auto other = to(8081, "10.4.0.7:80");
  other.comment = "rancher-desktop-guestagents";
  const auto s = read({{"CNI-DN-a", {to(8080, "10.4.0.7:80", net::address::loopback_v4()), copy, other}},
                       {"CNI-HOSTPORT-DNAT", {jump("CNI-DN-a")}}});
  EXPECT_THAT(bindings(s), ElementsAre("tcp 127.0.0.1:8080 -> 80 of CNI-DN-a ", "tcp 0.0.0.0:8081 -> 80 of CNI-DN-a "));
}

TEST(portmap_rules, ports_of_pods_are_bound_as_services_are) {
  const std::string pod(64, 'a');
  const std::vector<nat_chain> chains{
      {"CNI-DN-a", {to(80, "10.42.0.7:80"), to(81, "10.42.0.7:80", net::address::loopback_v4())}},
      {"CNI-DN-b", {to(82, "10.4.0.7:80")}},
      {"CNI-HOSTPORT-DNAT",
       {jump("CNI-DN-a", R"(dnat name: "cbr0" id: ")" + pod + '"'),
        jump("CNI-DN-b", R"(dnat name: "bridge" id: "default-)" + pod + '"')}}};
  portmap_ports found(net::address::loopback_v4());
  found.add_iptables(chains, family::ipv4);
  const auto s = found.take();
  ASSERT_EQ(s.bindings.size(), 3);
  EXPECT_EQ(s.bindings[0].host_address, net::address::loopback_v4());
  EXPECT_EQ(s.bindings[1].host_address, net::address::loopback_v4());
  EXPECT_EQ(s.bindings[2].host_address, net::address::any_v4());
  EXPECT_EQ(read(chains).bindings[0].host_address, net::address::any_v4());
}

TEST(portmap_rules, what_is_not_understood_is_refused_by_itself) {
  auto range = to(0, "10.4.0.7:80");
  range.doubt("a range of ports");
  auto no_protocol = to(8082, "10.4.0.7:80");
  no_protocol.protocol.reset();
  const auto s =
      read({{"CNI-DN-a", {range, to(8081, "10.4.0.7:80"), no_protocol, to(0, "10.4.0.7:80"), jump("SETMARK")}},
            {"CNI-HOSTPORT-DNAT", {jump("CNI-DN-a")}}});
  EXPECT_EQ(s.bindings.size(), 1);
  ASSERT_EQ(s.refusals.size(), 3);
  EXPECT_EQ(s.refusals[0], (ports::refusal{"CNI-DN-a", "0/tcp", "the DNAT rule has a range of ports"}));
  EXPECT_THAT(s.refusals[1].why, HasSubstr("no protocol"));
  EXPECT_THAT(s.refusals[2].why, HasSubstr("no port"));
}

TEST(portmap_rules, the_nftables_backend_names_the_container_in_a_comment) {
  portmap_ports found;
  auto rule = to(8080, "10.4.0.7:80");
  rule.comment = "default-web";
  auto odd = to(8081, "10.4.0.7:80");
  odd.comment = "two\nwords";
  found.add_nftables({rule, odd, jump("x")}, family::ipv4);
  EXPECT_THAT(bindings(found.take()), ElementsAre("tcp 0.0.0.0:8080 -> 80 of default-web default-web",
                                                  "tcp 0.0.0.0:8081 -> 80 of cni_hostport two\\x0awords"));
}

TEST(portmap_rules, everything_is_bounded) {
  std::vector<nat_chain> chains{{"CNI-HOSTPORT-DNAT", {}}};
  for (std::size_t i = 0; i < max_chains + 10; ++i) chains[0].rules.push_back(jump(fmt::format("CNI-DN-{}", i)));
  EXPECT_EQ(container_chains(chains[0].rules).size(), max_chains);
  chains.push_back({"CNI-DN-0", {}});
  for (std::size_t i = 0; i < max_bindings + 1'000; ++i)
    chains.back().rules.push_back(to(static_cast<std::uint16_t>(i % 65'535 + 1), "10.4.0.7:80"));
  const auto s = read(chains);
  EXPECT_EQ(s.bindings.size(), max_bindings);
  EXPECT_EQ(s.refusals.size(), max_refusals);
}

}  // namespace
}  // namespace cni_portmap
