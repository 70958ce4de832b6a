// Containers of the real containerd, with nerdctl's labels and the rules of the real CNI plugins: each way to publish a
// port, each way to end, in several namespaces.
#include <fmt/format.h>

#include <algorithm>

#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

using support::container_spec;

class containerd : public with_each_iptables {
 protected:
  void start_engine() override { lab_->containerd().start(); }
  // The portmap plugin's chains that are not a container's.
  void leave_first_traces() override {
    const container_spec first{.name = "first", .ports = {{9999, 80, "tcp", "127.0.0.1"}, {9999, 80, "udp", ""}}};
    engine().run(first);
    expect_published({"tcp 127.0.0.1:9999", "udp 0.0.0.0:9999"});
    engine().remove(first);
    expect_published({});
  }
  support::containerd_engine& engine() { return lab_->containerd(); }
  void remove_and_expect_nothing_left(const std::vector<container_spec>& all) {
    for (const auto& one : all) engine().remove(one);
    expect_nothing_left();
  }
  const container_spec web{.name = "web", .ports = {{8080, 80}, {8081, 80, "tcp", "127.0.0.1"}}};
  const published_set webs{"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"};
  void run_web() {
    engine().run(web);
    expect_web();
  }
  void expect_web() {
    expect_published(webs);
    expect_answers("tcp 127.0.0.1:8080", "web");
    expect_answers("tcp 127.0.0.1:8081", "web");
  }
};
INSTANTIATE_WITH_EACH_IPTABLES(containerd);

// Tests that do not depend on the rules: once is enough.
class containerd_life : public containerd {};
INSTANTIATE_TEST_SUITE_P(iptables, containerd_life, testing::Values(support::iptables_variant::nft),
                         [](const auto&) { return "nft"; });

TEST_P(containerd, publishes_on_every_address_and_on_loopback) {
  run_web();
  EXPECT_TRUE(support::refused(lab_->host(), *net::parse_endpoint("192.168.127.1:8081")))
      << "what was published on loopback must not be open to the network";
  remove_and_expect_nothing_left({web});
  expect_refused("tcp 127.0.0.1:8080");
  expect_refused("tcp 127.0.0.1:8081");
}

TEST_P(containerd_life, ports_in_the_state_directory) {
  auto spec = web;
  spec.note = support::port_note::state_directory;
  engine().run(spec);
  expect_web();
  remove_and_expect_nothing_left({spec});
}

TEST_P(containerd, udp_and_tcp_on_one_number) {
  const container_spec spec{.name = "dns",
                            .ports = {{5353, 53, "udp"}, {5353, 53, "tcp"}, {5454, 53, "udp", "127.0.0.1"}},
                            .serves = {"udp:53", "tcp:53"}};
  engine().run(spec);
  expect_published({"udp 0.0.0.0:5353", "tcp 0.0.0.0:5353", "udp 127.0.0.1:5454"});
  expect_answers("udp 127.0.0.1:5353", "dns");
  expect_answers("tcp 127.0.0.1:5353", "dns");
  expect_answers("udp 127.0.0.1:5454", "dns");
  remove_and_expect_nothing_left({spec});
}

TEST_P(containerd, on_a_specific_address) {
  const container_spec spec{.name = "web",
                            .ports = {{8080, 80, "tcp", "127.0.0.9"}, {8081, 80, "tcp", "192.168.127.2"}}};
  engine().run(spec);
  expect_published({"tcp 127.0.0.1:8080", "tcp 127.0.0.1:8081"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  expect_answers("tcp 127.0.0.1:8081", "web");
  remove_and_expect_nothing_left({spec});
}

TEST_P(containerd, a_range) {
  container_spec spec{.name = "range", .serves = {"tcp:1000-1099"}, .note = support::port_note::state_directory};
  published_set ports;
  for (unsigned i = 0; i < 100; ++i) {
    spec.ports.push_back({20'000 + i, 1'000 + i, "tcp", i % 2 == 0 ? "127.0.0.1" : ""});
    ports.insert(fmt::format("tcp {}:{}", i % 2 == 0 ? "127.0.0.1" : "0.0.0.0", 20'000 + i));
  }
  engine().run(spec);
  expect_published(ports);
  for (const unsigned port : {20'000U, 20'001U, 20'098U, 20'099U})
    expect_answers(fmt::format("tcp 127.0.0.1:{}", port), "range");
  remove_and_expect_nothing_left({spec});
}

TEST_P(containerd, on_two_networks) {
  auto spec = web;
  spec.networks = 2;
  engine().run(spec);
  expect_web();
  remove_and_expect_nothing_left({spec});
}

TEST_P(containerd_life, the_same_name_in_two_namespaces_is_two_containers) {
  const container_spec here{.name = "web", .ports = {{8080, 80}, {8081, 80, "tcp", "127.0.0.1"}}};
  const container_spec there{
      .name = "web", .ports = {{8082, 80}, {8083, 80, "tcp", "127.0.0.1"}}, .name_space = "k8s.io"};
  engine().run(here);
  engine().run(there);
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "tcp 0.0.0.0:8082", "tcp 127.0.0.1:8083"});
  for (const char* port : {"8080", "8081", "8082", "8083"})
    expect_answers(fmt::format("tcp 127.0.0.1:{}", port), "web");
  EXPECT_TRUE(ports_shown().contains("k8s.io/web")) << ports_shown();
  engine().remove(here);
  expect_published({"tcp 0.0.0.0:8082", "tcp 127.0.0.1:8083"});
  expect_answers("tcp 127.0.0.1:8083", "web");
  remove_and_expect_nothing_left({there});
}

TEST_P(containerd_life, a_process_beside_the_first_one_ends) {
  run_web();
  engine().execute(web, {"/echo-server"});                 // without ports to listen on it ends at once
  engine().run({.name = "after", .ports = {{8090, 80}}});  // the event of its start comes after that end
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "tcp 0.0.0.0:8090"});
  expect_answers("tcp 127.0.0.1:8080", "web");
}

TEST_P(containerd_life, ends_by_itself_and_starts_again) {
  run_web();
  engine().end_task(web);
  expect_published({});
  expect_refused("tcp 127.0.0.1:8080");
  engine().start_task(web);
  expect_web();
  remove_and_expect_nothing_left({web});
}

TEST_P(containerd_life, is_paused) {
  run_web();
  engine().ctr("default", {"tasks", "pause", "web"});
  ASSERT_EQ(lab_->agent().stop(), 0);
  lab_->start_agent();  // finds it in the list
  expect_published(webs);
  engine().ctr("default", {"tasks", "resume", "web"});
  expect_web();
}

TEST_P(containerd_life, labels_are_updated) {
  const container_spec spec{.name = "web", .ports = {{8080, 80}}};
  engine().create(spec);
  const auto relabel = [this](const std::vector<support::published_port>& ports) {
    engine().ctr("default", {"containers", "label", "web", "nerdctl/ports=" + support::to_nerdctl_json(ports)});
  };
  relabel({{8080, 80}, {8088, 80}});  // of a container that does not run
  expect_published({});
  engine().attach(spec);
  engine().start_task(spec);
  expect_published({"tcp 0.0.0.0:8080", "tcp 0.0.0.0:8088"});
  relabel({{8080, 80}});  // of one that does
  expect_published({"tcp 0.0.0.0:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  remove_and_expect_nothing_left({spec});
}

TEST_P(containerd_life, twenty_at_once) {
  std::vector<container_spec> all;
  published_set ports;
  for (unsigned i = 0; i < 20; ++i) {
    all.push_back({.name = fmt::format("c{}", i), .ports = {{8000 + i, 80}}});
    all.back().name_space = i % 2 == 0 ? "default" : "k8s.io";
    engine().create(all.back());
    engine().attach(all.back());
    ports.insert(fmt::format("tcp 0.0.0.0:{}", 8000 + i));
  }
  for (const auto& one : all) engine().start_task(one);
  expect_published(ports);
  expect_answers("tcp 127.0.0.1:8019", "c19");
  for (const auto& one : all) engine().end_task(one);
  expect_published({});
}

TEST_P(containerd_life, is_restarted_and_killed) {
  run_web();
  engine().stop();
  engine().start();
  expect_web();
  engine().kill9();
  EXPECT_TRUE(eventually(soon, [this] { return lab_->control({"status"}).text.contains("degraded"); }));
  expect_published(webs);  // no newer information exists
  engine().start();
  expect_web();
  engine().kill9();
  engine().start();
  engine().end_task(web);
  expect_published({});
  remove_and_expect_nothing_left({web});
}

TEST_P(containerd, changes_while_the_agent_is_away) {
  run_web();
  lab_->agent().kill9();
  engine().end_task(web);
  const container_spec other{.name = "other", .ports = {{8090, 80}, {8091, 80, "tcp", "127.0.0.1"}}};
  engine().run(other);
  lab_->start_agent();
  expect_published({"tcp 0.0.0.0:8090", "tcp 127.0.0.1:8091"});
  expect_answers("tcp 127.0.0.1:8091", "other");
  remove_and_expect_nothing_left({web, other});
}

// Its task has ended without a call of the plugin: its chain stands before the next container's.
TEST_P(containerd, a_chain_that_was_left_behind) {
  const container_spec old{.name = "old", .ports = {{8081, 80, "tcp", "127.0.0.1"}}};
  engine().run(old);
  expect_published({"tcp 127.0.0.1:8081"});
  engine().end_task(old);
  expect_published({});
  run_web();
  remove_and_expect_nothing_left({web, old});
}

TEST_P(containerd_life, starts_after_the_agent) {
  run_web();
  engine().stop();
  lab_->start_agent();
  lab_->start_host_switch();
  engine().start();
  others_.clear();
  start_host_switch();
  expect_web();
}

TEST_P(containerd, beside_docker) {
  lab_->docker().start();
  lab_->start_agent({"-docker=true"});
  lab_->docker().run("whale", {"-p", "8090:80", "-p", "127.0.0.1:8091:80"});
  engine().run(web);
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "tcp 0.0.0.0:8090", "tcp 127.0.0.1:8091"});
  expect_answers("tcp 127.0.0.1:8081", "web");
  expect_answers("tcp 127.0.0.1:8091", "whale");
  engine().kill9();  // one engine's absence does not affect the other
  lab_->docker().docker({"rm", "-f", "whale"});
  expect_published(webs);
  expect_answers("tcp 127.0.0.1:8081", "web");
}

// nerdctl's hook holds the host port for a moment, so that no other program takes it before CNI has made its rules.
TEST_P(containerd_life, the_host_port_is_reserved_for_a_moment) {
  engine().create(web);
  {
    const auto reserved = support::open_socket(lab_->rd(), protocol::tcp, *net::parse_endpoint("0.0.0.0:8080"), true);
    ASSERT_TRUE(reserved);
    engine().attach(web);
  }
  engine().start_task(web);
  expect_web();
  remove_and_expect_nothing_left({web});
}

TEST_P(containerd_life, hostile_labels_harm_only_themselves) {
  engine().run(
      {.name = "bad",
       .labels = {{"nerdctl/ports",
                   R"([{"HostPort":0},{"HostPort":70000},"80; rm",-1,{"HostPort":8095,"ContainerPort":80}])"}}});
  engine().run({.name = "torn", .labels = {{"nerdctl/ports", "[[[[[[[[[[[[[["}}});
  engine().run({.name = "device", .labels = {{"nerdctl/state-dir", "/dev/zero"}}});
  engine().run(web);
  expect_published({"tcp 0.0.0.0:8095", "tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  EXPECT_TRUE(lab_->control({"status"}).text.contains("nerdctl/ports")) << lab_->control({"status"}).text;
}

// The portmap plugin's nftables backend, as version 1.6 writes it: there is no chain to add a rule to.
class containerd_nftables : public end_to_end {
 protected:
  containerd_nftables() : end_to_end({.writes_rules = false}) {}
  void start_engine() override { lab_->containerd().start(); }
  const container_spec web{.name = "web",
                           .ports = {{8080, 80}, {8081, 80, "tcp", "127.0.0.1"}, {8082, 53, "udp", "127.0.0.1"}},
                           .serves = {"tcp:80", "udp:53"},
                           .backend = support::portmap_backend::nftables};
  void run_web() {
    lab_->containerd().run(web);
    expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "udp 127.0.0.1:8082"});
    expect_answers("tcp 127.0.0.1:8080", "web");
    expect_answers("tcp 127.0.0.1:8081", "web");
    expect_answers("udp 127.0.0.1:8082", "web");
  }
  // A rule leads to a relay's own port.
  [[nodiscard]] bool relayed(unsigned port) const {
    return std::ranges::any_of(support::iptables_rules(lab_->rd()), [port](const auto& rule) {
      return rule.starts_with("-A rancher-desktop-guestagent ") && rule.contains(fmt::format("--dport {} ", port)) &&
             rule.contains("--to-destination :");
    });
  }
};

TEST_F(containerd_nftables, ports_on_loopback_are_relayed) {
  run_web();
  EXPECT_TRUE(relayed(8081));
  EXPECT_FALSE(relayed(8080)) << "the kernel does that";
  lab_->containerd().remove(web);
  expect_published({});
  expect_refused("tcp 127.0.0.1:8081");
  EXPECT_FALSE(relayed(8081));
}

// With other rules in a table of iptables.
TEST_P(containerd_life, nftables_beside_iptables) {
  auto spec = web;
  spec.name = "other";
  spec.ports = {{8090, 80, "tcp", "127.0.0.1"}};
  spec.backend = support::portmap_backend::nftables;
  run_web();
  engine().run(spec);
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "tcp 127.0.0.1:8090"});
  expect_answers("tcp 127.0.0.1:8090", "other");
  remove_and_expect_nothing_left({spec, web});
}

}  // namespace
}  // namespace integration
