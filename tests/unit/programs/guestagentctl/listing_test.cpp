#include "programs/guestagentctl/listing.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "protocols/status_document/document_codec.hpp"

namespace guestagentctl {
namespace {

using testing::HasSubstr;
using testing::Not;

const status_document::document document = status_document::decode(R"({
  "version": "0.1.0", "mode": "network-tunnel", "started": "2026-11-24T00:00:00Z",
  "sources": [{"name": "docker", "state": "degraded", "reason": "connect /var/run/docker.sock: No such file", "bindings": 2,
               "refusals": [{"owner": "c9", "what": "0/tcp", "why": "not a port"}]}],
  "peers": [{"name": "host-switch", "state": "synced", "applied": 1},
            {"name": "wsl-proxy", "state": "down", "reason": "no socket", "retry_in_ms": 1500, "applied": 0}],
  "ports": [
    {"protocol": "tcp", "address": "0.0.0.0", "port": 8080, "container_port": 80, "source": "docker", "owner": "c1", "name": "web",
     "decision": "exposed",
     "peers": [{"name": "host-switch", "state": "applied", "since": "2026-11-24T00:00:01Z"},
               {"name": "wsl-proxy", "state": "conflict", "reason": "address already in use", "retry_in_ms": 300}]},
    {"protocol": "tcp", "address": "127.0.0.1", "port": 80, "container_port": 80, "source": "docker",
     "owner": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "name": "",
     "decision": "restricted", "reason": "ports below 1024", "peers": []},
    {"protocol": "udp", "address": "0.0.0.0", "port": 53, "source": "docker", "decision": "leftover", "reason": "no longer published",
     "peers": [{"name": "host-switch", "state": "refused", "reason": "busy", "retry_in_ms": 1500}]}]})")
                                               .value();

TEST(listing, ports_show_each_peers_state_and_why_not) {
  const auto text = list_ports(document);
  EXPECT_THAT(text, testing::StartsWith(
                        "PROTOCOL  HOST          CONTAINER  SOURCE  OWNER         HOST-SWITCH  WSL-PROXY   SINCE"));
  EXPECT_THAT(text,
              testing::ContainsRegex("tcp +0.0.0.0:8080 +80 +docker +web +applied +conflict +2026-11-24T00:00:01Z "
                                     "+wsl-proxy: address already in use, retrying in 0.3 s\n"));
  EXPECT_THAT(text, testing::ContainsRegex(
                        "tcp +127.0.0.1:80 +80 +docker +0123456789ab +restricted +restricted +- +ports below 1024\n"));
  EXPECT_THAT(text, testing::ContainsRegex("udp +0.0.0.0:53 +- +docker +refused +- +- +no longer published; "
                                           "host-switch: busy, retrying in 1.5 s\n"));
}

TEST(listing, status_shows_sources_peers_and_refusals) {
  const auto text = list_status(document);
  EXPECT_THAT(text, HasSubstr("agent 0.1.0 in network-tunnel mode"));
  EXPECT_THAT(text, testing::ContainsRegex("docker +degraded +2 +connect"));
  EXPECT_THAT(text, testing::ContainsRegex("wsl-proxy +down +0 +no socket, retrying in 1.5 s"));
  EXPECT_THAT(text, testing::ContainsRegex("docker +c9 +0/tcp +not a port"));
}

status_document::port port_of(std::uint16_t number, std::string state = "applied") {
  return {.protocol = "tcp",
          .address = "0.0.0.0",
          .number = number,
          .container_port = static_cast<std::uint16_t>(number - 20'000),
          .source = "docker",
          .owner = "c1",
          .name = "web",
          .decision = "exposed",
          .claims = {{"docker", "c1", "web", "0.0.0.0", static_cast<std::uint16_t>(number - 20'000)}},
          .peers = {{"host-switch", std::move(state), "", "2026-11-24T00:00:01Z", {}}}};
}

status_document::document shown(std::vector<status_document::port> ports) {
  return {.peers = {{.name = "host-switch"}}, .ports = std::move(ports)};
}

TEST(listing, ports_that_follow_each_other_and_are_alike_share_a_line) {
  std::vector<status_document::port> ports;
  for (std::uint16_t i = 0; i < 10; ++i) ports.push_back(port_of(static_cast<std::uint16_t>(30'000 + i)));
  const auto folded = list_ports(shown(ports));
  EXPECT_THAT(folded, testing::ContainsRegex("tcp +0.0.0.0:30000-30009 +10000-10009 +docker +web +applied"));
  EXPECT_EQ(std::ranges::count(folded, '\n'), 2);
  const auto unfolded = list_ports(shown(ports), {.all = true});
  EXPECT_THAT(unfolded, testing::ContainsRegex("tcp +0.0.0.0:30004 +10004 +docker +web +applied"));
  EXPECT_EQ(std::ranges::count(unfolded, '\n'), 11);
}

TEST(listing, what_differs_has_a_line_of_its_own) {
  const auto same = port_of(30'001);
  const auto lines = [&](const status_document::port& next) {
    return std::ranges::count(list_ports(shown({port_of(30'000), next})), '\n') - 1;
  };
  EXPECT_EQ(lines(same), 1);
  EXPECT_EQ(lines(port_of(30'002)), 2);
  EXPECT_EQ(lines(port_of(30'001, "pending")), 2);
  const auto with = [&](auto change) {
    auto p = same;
    change(p);
    return lines(p);
  };
  EXPECT_EQ(with([](auto& p) { p.protocol = "udp"; }), 2);
  EXPECT_EQ(with([](auto& p) { p.address = "127.0.0.1"; }), 2);
  EXPECT_EQ(with([](auto& p) { p.owner = "c2"; }), 2);
  EXPECT_EQ(with([](auto& p) { p.source = "containerd"; }), 2);
  EXPECT_EQ(with([](auto& p) { p.container_port = 80; }), 2);
  EXPECT_EQ(with([](auto& p) { p.guest_port = 80; }), 2);
  EXPECT_EQ(with([](auto& p) { p.rule = "line 3"; }), 2);
  EXPECT_EQ(with([](auto& p) { p.claims.push_back({"listeners", "listener", "", "::", 0}); }), 2);
  EXPECT_EQ(with([](auto& p) { p.peers.front().since = "2026-11-25T00:00:00Z"; }), 1) << "times are not compared";
}

TEST(listing, a_rule_and_the_port_inside_the_vm_are_in_the_note) {
  auto p = port_of(30'000);
  p.guest_port = 80;
  p.rule = "rule 3 (line 12): why";
  EXPECT_THAT(list_ports(shown({p})), HasSubstr("port 80 in the VM; rule 3 (line 12): why\n"));
}

TEST(listing, ports_that_a_rule_leaves_out_are_counted) {
  auto p = port_of(30'000);
  p.decision = "ignored";
  p.peers.clear();
  const auto text = list_ports(shown({p, port_of(30'005)}));
  EXPECT_THAT(text, Not(HasSubstr("30000")));
  EXPECT_THAT(text, testing::EndsWith("\n1 port is left out by rules; --all shows it\n"));
  EXPECT_THAT(list_ports(shown({p, p})), testing::EndsWith("\n2 ports are left out by rules; --all shows them\n"));
  for (const auto& filter : {port_filter{.all = true}, port_filter{.state = "ignored"}}) {
    EXPECT_THAT(list_ports(shown({p}), filter), HasSubstr("30000"));
    EXPECT_THAT(list_ports(shown({p}), filter), Not(HasSubstr("left out by rules")));
  }
  EXPECT_THAT(list_ports(shown({p}), {.name = "db"}), Not(HasSubstr("left out by rules")));
}

TEST(listing, any_document_is_shown_without_harm) {
  for (const auto* text : {"{}", R"({"ports":[1,null,{}],"peers":[[]],"sources":"x"})"}) {
    const auto v = status_document::decode(text).value();
    EXPECT_THAT(list_ports(v), HasSubstr("PROTOCOL")) << text;
    EXPECT_THAT(list_status(v), Not(HasSubstr("REFUSED"))) << text;
  }
}

}  // namespace
}  // namespace guestagentctl
