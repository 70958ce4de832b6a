// Ports that are found in their DNAT rules: those of the real CNI plugins with both iptables, without an engine and
// beside containerd; and those of the plugin's nftables backend, in its format.
#include <fmt/format.h>

#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

using support::container_spec;

class dnat_rules : public with_each_iptables {
 protected:
  dnat_rules() { most_rules_for_a_wildcard_ = 1; }  // of IPv6 alone
  void start_engine() override { lab_->containerd().start(); }
  std::vector<std::string> agent_flags() const override { return {"-containerd=false", "-iptables=true"}; }
  void leave_first_traces() override { run_first({"tcp 127.0.0.1:9999", "udp 0.0.0.0:9999"}); }
  void run_first(const published_set& ports) {
    const container_spec first{
        .name = "first", .ports = {{9999, 80, "tcp", "127.0.0.1"}, {9999, 80, "udp", ""}}, .dual_stack = true};
    engine().run(first);
    expect_published(ports);
    engine().remove(first);
    expect_published({});
  }
  support::containerd_engine& engine() { return lab_->containerd(); }
  void remove_and_expect_nothing_left(const container_spec& spec) {
    engine().remove(spec);
    expect_nothing_left();
  }
  void expect_answering(const published_set& ports, const char* container) {
    expect_published(ports);
    for (const auto& port : ports) expect_answers("tcp 127.0.0.1" + port.substr(port.rfind(':')), container);
  }
  const container_spec web{.name = "web", .ports = {{8080, 80}, {8081, 80, "tcp", "127.0.0.1"}}};
  const published_set webs{"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"};
};
INSTANTIATE_WITH_EACH_IPTABLES(dnat_rules);

TEST_P(dnat_rules, publish_on_every_address_and_on_loopback) {
  engine().run(web);
  expect_answering(webs, "web");
  EXPECT_TRUE(support::refused(lab_->host(), *net::parse_endpoint("192.168.127.1:8081")))
      << "what was published on loopback must not be open to the network";
  EXPECT_TRUE(ports_shown().contains("default-web")) << ports_shown();
  remove_and_expect_nothing_left(web);
  expect_refused("tcp 127.0.0.1:8080");
  expect_refused("tcp 127.0.0.1:8081");
}

TEST_P(dnat_rules, udp_and_tcp_on_one_number) {
  const container_spec spec{.name = "dns",
                            .ports = {{5353, 53, "udp"}, {5353, 53, "tcp"}, {5454, 53, "udp", "127.0.0.1"}},
                            .serves = {"udp:53", "tcp:53"}};
  engine().run(spec);
  expect_published({"udp 0.0.0.0:5353", "tcp 0.0.0.0:5353", "udp 127.0.0.1:5454"});
  for (const auto* port : {"udp 127.0.0.1:5353", "tcp 127.0.0.1:5353", "udp 127.0.0.1:5454"})
    expect_answers(port, "dns");
  remove_and_expect_nothing_left(spec);
}

// Each family has a rule of its own; the port goes with the last one.
TEST_P(dnat_rules, of_both_families) {
  container_spec spec = web;
  spec.dual_stack = true;
  engine().run(spec);
  expect_answering(webs, "web");
  const auto flush = [this](const std::string& family) {
    const auto* variant = GetParam() == support::iptables_variant::nft ? "nft" : "legacy";
    support::run_or_throw({.argv = {fmt::format("{}-{}", family, variant), "-t", "nat", "-F", "CNI-HOSTPORT-DNAT"},
                           .net_namespace = lab_->rd().path()});
  };
  flush("iptables");
  expect_published({"tcp 0.0.0.0:8080"});
  flush("ip6tables");
  expect_published({});
}

TEST_P(dnat_rules, change_while_the_agent_is_away) {
  engine().run(web);
  expect_published(webs);
  lab_->agent().kill9();
  engine().remove(web);
  const container_spec other{.name = "other", .ports = {{8090, 80}, {8091, 80, "tcp", "127.0.0.1"}}};
  engine().run(other);
  lab_->start_agent(agent_flags());
  expect_answering({"tcp 0.0.0.0:8090", "tcp 127.0.0.1:8091"}, "other");
  remove_and_expect_nothing_left(other);
}

// One port with claims of two sources. The port of a stopped container is closed, though its rules stay.
class dnat_rules_beside_containerd : public dnat_rules {
 protected:
  std::vector<std::string> agent_flags() const override { return {"-iptables=true"}; }
};
INSTANTIATE_WITH_EACH_IPTABLES(dnat_rules_beside_containerd);

TEST_P(dnat_rules_beside_containerd, are_one_port) {
  engine().run(web);
  expect_answering(webs, "web");
  engine().end_task(web);
  expect_published({});
  engine().start_task(web);
  expect_answering(webs, "web");
  engine().kill9();  // containerd's claims stay, though it cannot be asked
  expect_published(webs);
  engine().start();
  remove_and_expect_nothing_left(web);
}

// For WSL's own localhost relay, which forwards the listening sockets that it sees.
class dnat_rules_with_local_listeners : public dnat_rules {
 protected:
  std::vector<std::string> agent_flags() const override {
    return {"-containerd=false", "-iptables=true", "-adminInstall=false", "-localListeners"};
  }
  void leave_first_traces() override { run_first({"tcp 127.0.0.1:9999", "udp 127.0.0.1:9999"}); }
  bool listens(std::uint16_t port) {
    return support::listening_sockets(lab_->rd()).contains({protocol::tcp, {net::address::loopback_v4(), port}});
  }
};
INSTANTIATE_TEST_SUITE_P(iptables, dnat_rules_with_local_listeners, testing::Values(support::iptables_variant::nft),
                         [](const auto&) { return "nft"; });

TEST_P(dnat_rules_with_local_listeners, connections_go_by_the_rules) {
  engine().run(web);
  expect_answering({"tcp 127.0.0.1:8080", "tcp 127.0.0.1:8081"}, "web");
  for (const std::uint16_t port : {std::uint16_t{8080}, std::uint16_t{8081}}) {
    EXPECT_TRUE(eventually(soon, [&] { return listens(port); })) << port;
    expect_answer(lab_->rd(), fmt::format("tcp 127.0.0.1:{}", port), "web");
  }
  engine().remove(web);
  expect_published({});
  EXPECT_TRUE(eventually(soon, [&] { return !listens(8080) && !listens(8081); }));
}

// The plugin's nftables backend, which Debian's version does not have yet: the same commands by hand.
class nft_backend : public end_to_end {
 protected:
  nft_backend() : end_to_end({.writes_rules = false}) {}
  void start_engine() override { lab_->containerd().start(); }
  std::vector<std::string> agent_flags() const override { return {"-containerd=false", "-iptables=true"}; }
  void nft(const std::string& commands) {
    support::run_or_throw({.argv = {"nft", commands}, .net_namespace = lab_->rd().path()});
  }
};

TEST_F(nft_backend, ports_are_published) {
  lab_->containerd().run({.name = "bare"});  // on the bridge, without ports
  const auto address = std::string("10.4.0.2");
  support::run_or_throw(
      {.argv = {"sysctl", "-q", "net.ipv4.conf.nerdctl0.route_localnet=1"}, .net_namespace = lab_->rd().path()});
  nft(fmt::format(
      "add table ip cni_hostport {{ comment \"CNI portmap plugin\"; }}; add chain ip cni_hostport hostports;"
      "add chain ip cni_hostport hostip_hostports;"
      "add chain ip cni_hostport prerouting {{ type nat hook prerouting priority dstnat; }};"
      "add rule ip cni_hostport prerouting jump hostip_hostports; add rule ip cni_hostport prerouting jump hostports;"
      "add chain ip cni_hostport output {{ type nat hook output priority -100; }};"
      "add rule ip cni_hostport output jump hostip_hostports;"
      "add rule ip cni_hostport output fib daddr type local jump hostports;"
      "add chain ip cni_hostport masquerading {{ type nat hook postrouting priority srcnat; }};"
      "add rule ip cni_hostport hostip_hostports ip daddr 127.0.0.1 tcp dport 8081 dnat to {0}:80 comment \"bare\";"
      "add rule ip cni_hostport hostports tcp dport 8080 dnat to {0}:80 comment \"bare\";"
      "add rule ip cni_hostport masquerading ip saddr {0} ip daddr {0} masquerade comment \"bare\";"
      "add rule ip cni_hostport masquerading ip saddr 127.0.0.1 ip daddr {0} masquerade comment \"bare\"",
      address));
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"});
  expect_answers("tcp 127.0.0.1:8080", "bare");
  expect_answers("tcp 127.0.0.1:8081", "bare");
  nft("flush chain ip cni_hostport hostports");
  expect_published({"tcp 127.0.0.1:8081"});
  nft("delete table ip cni_hostport");
  expect_published({});
}

// Docker's rules are in chains of its own, and its ports come from its API.
class dnat_rules_of_docker : public end_to_end {
 protected:
  std::vector<std::string> agent_flags() const override { return {"-iptables=true"}; }
};

TEST_F(dnat_rules_of_docker, are_left_to_its_api) {
  lab_->docker().run("web", {"-p", "8080:80", "-p", "127.0.0.1:8081:80"});
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"});
  expect_answers("tcp 127.0.0.1:8081", "web");
  EXPECT_FALSE(ports_shown().contains("iptables")) << ports_shown();
  lab_->docker().docker({"rm", "-f", "web"});
  expect_nothing_left();
}

}  // namespace
}  // namespace integration
