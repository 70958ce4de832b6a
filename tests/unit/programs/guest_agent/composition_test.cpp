// Every combination of mode flags, engine flags, binding addresses, and privileged ports or not: what reaches which
// peer. From the command line to the part of each peer, by the functions that the program uses; what is expected comes
// from the two tables below.
#include "programs/guest_agent/composition.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

namespace guest_agent {
namespace {

using ports::network_mode;

// peer → "tcp 0.0.0.0:8080/80": what it should hold, with the container port if the message has it
using reached = std::map<peer_kind, std::set<std::string>>;

struct mode_row {
  std::vector<std::string> flags;
  network_mode mode;
  std::vector<peer_kind> peers;
  bool restricts;  // ports below 1024
};
constexpr auto host_switch = peer_kind::host_switch, privileged = peer_kind::privileged_service,
               wsl = peer_kind::wsl_proxy, inside = peer_kind::loopback, local = peer_kind::local_listeners;
const std::vector<mode_row> modes{
    {{}, network_mode::non_admin, {host_switch, wsl, inside}, true},
    {{"-restrictPrivilegedPorts=false"}, network_mode::non_admin, {host_switch, wsl, inside}, false},
    {{"-localListeners"}, network_mode::non_admin, {host_switch, wsl, inside, local}, true},
    {{"-adminInstall"}, network_mode::network_tunnel, {host_switch, wsl, inside}, false},
    {{"-adminInstall", "-wsl-proxy-socket="}, network_mode::network_tunnel, {host_switch, inside}, false},
    {{"-adminInstall", "-restrictPrivilegedPorts"}, network_mode::network_tunnel, {host_switch, wsl, inside}, false},
    {{"-privilegedService"}, network_mode::privileged_service, {privileged, inside}, false},
    {{"-privilegedService", "-adminInstall"}, network_mode::privileged_service, {privileged, inside}, false},
    {{"-privilegedService", "-restrictPrivilegedPorts"}, network_mode::privileged_service, {privileged, inside}, false},
};

struct address_row {
  const char* asked;
  const char* host;       // what the host binds, where it binds what was asked for
  const char* inside_vm;  // which single address of the VM has to be bridged; empty: it is reachable as it is
};
const std::vector<address_row> addresses{
    {"0.0.0.0", "0.0.0.0", ""},
    {"::", "0.0.0.0", "[::1]"},
    {"127.0.0.1", "127.0.0.1", "127.0.0.1"},
    {"127.0.0.53", "127.0.0.1", "127.0.0.53"},
    {"::1", "127.0.0.1", "[::1]"},
    {"10.0.0.5", "127.0.0.1", "10.0.0.5"},
};

struct engines {
  bool docker, containerd, kubernetes, iptables;
};
std::vector<engines> all_engines() {
  std::vector<engines> all;
  for (unsigned bits = 0; bits < 16; ++bits)
    all.push_back({(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0});
  return all;
}

std::vector<std::string> command_line(const mode_row& mode, const engines& e, const char* listener) {
  auto line = mode.flags;
  line.push_back(fmt::format("-iptables={}", e.iptables));
  line.push_back(fmt::format("-docker={}", e.docker));
  line.push_back(fmt::format("-containerd={}", e.containerd));
  line.push_back(fmt::format("-kubernetes={}", e.kubernetes));
  line.push_back(fmt::format("-k8sServiceListenerAddr={}", listener));
  return line;
}

ports::binding published(const net::address& at, std::uint16_t port, ports::serving served) {
  return {net::protocol::tcp, at, port, 80, "owner", "name", served};
}

// Docker publishes at `port`, containerd at the next one, then a Service, then a rule.
base::result<reached> reach(const std::vector<std::string>& line, const net::address& asked, std::uint16_t port) {
  options o;
  program::flag_set flags("agent", "[flags]", "");
  declare(flags, o);
  if (auto parsed = flags.parse(line); !parsed) return std::unexpected(parsed.error());
  const auto s = validate(o, flags.is_set("listeners"));
  if (!s) return std::unexpected(s.error());
  using enum ports::serving;
  ports::port_table table;
  const auto at = [port](int n) { return static_cast<std::uint16_t>(port + n); };
  if (o.docker) table.publish(ports::source_id::docker, {{published(asked, at(0), rule_and_proxy)}, {}, 1});
  if (o.containerd) table.publish(ports::source_id::containerd, {{published(asked, at(1), nat_rule)}, {}, 1});
  if (o.kubernetes)
    table.publish(ports::source_id::kubernetes, {{published(s->service_listener, at(2), every_address)}, {}, 1});
  if (o.iptables) table.publish(ports::source_id::iptables, {{published(asked, at(3), nat_rule)}, {}, 1});
  table.publish(ports::source_id::fixed, static_ports(o, *s));
  const auto plan = ports::plan_exposure(table, s->policy);
  reached all;
  for (const auto kind : peers_of(o, *s)) {
    all[kind];
    for (const auto& [key, f] : part_of(plan, role_of(kind)))
      all[kind].insert(fmt::format("{}/{}", to_string(key), f.container_port));
  }
  return all;
}

reached expected(const mode_row& mode, const engines& e, const address_row& address, const char* listener,
                 std::uint16_t port) {
  reached all;
  for (const auto kind : mode.peers) all[kind];
  const auto add = [&](const char* on_host, const char* in_vm, int number, bool has_listener) {
    if (mode.restricts && number < 1024) return;
    const auto* bound = mode.mode == network_mode::non_admin ? "127.0.0.1" : on_host;
    for (const auto kind : mode.peers) {
      if (kind == inside && *in_vm != '\0') all[kind].insert(fmt::format("tcp {}:{}/80", in_vm, number));
      if (kind == local && !has_listener) all[kind].insert(fmt::format("tcp {}:{}/0", bound, number));
      if (kind == host_switch) all[kind].insert(fmt::format("tcp {}:{}/0", bound, number));
      if (kind == wsl || kind == privileged) all[kind].insert(fmt::format("tcp {}:{}/80", bound, number));
    }
  };
  if (e.docker) add(address.host, address.inside_vm, port, true);
  if (e.containerd) add(address.host, address.inside_vm, port + 1, false);
  if (e.kubernetes) add(listener, "", port + 2, false);
  const bool restricted = mode.restricts && port + 2 < 1024;
  if (e.kubernetes && !restricted && mode.mode != network_mode::privileged_service)
    all[inside].insert(fmt::format("tcp 0.0.0.0:{}/0", port + 2));  // brought to the address that answers
  if (e.iptables) add(address.host, address.inside_vm, port + 3, false);
  if (e.kubernetes && all.contains(wsl)) all[wsl].insert("tcp 127.0.0.1:6443/6443");
  return all;
}

TEST(composition, what_reaches_which_peer) {
  int combinations = 0;
  for (const auto& mode : modes)
    for (const auto& e : all_engines())
      for (const auto& address : addresses)
        for (const auto* listener : {"0.0.0.0", "127.0.0.1"})
          for (const auto port : std::initializer_list<std::uint16_t>{80, 1020, 1024, 8080}) {
            const auto line = command_line(mode, e, listener);
            const auto text = fmt::format("{} {} port {}", fmt::join(line, " "), address.asked, port);
            const auto got = reach(line, net::address::parse(address.asked).value(), port);
            ++combinations;
            if (!e.docker && !e.containerd && !e.iptables) {
              ASSERT_FALSE(got) << text;
              EXPECT_EQ(got.error().message(), "requires either -docker, -containerd or -iptables enabled.");
              continue;
            }
            ASSERT_TRUE(got) << text << ": " << got.error().message();
            EXPECT_EQ(*got, expected(mode, e, address, listener, port)) << text;
          }
  EXPECT_EQ(combinations, 9 * 16 * 6 * 2 * 4);
}

// The vtunnel peer is a listener of another process in the agent's namespace.
TEST(composition, the_port_of_the_vtunnel_peer_is_never_published) {
  const auto ignored = [](const std::vector<std::string>& line) {
    options o;
    program::flag_set flags("agent", "[flags]", "");
    declare(flags, o);
    EXPECT_TRUE(flags.parse(line));
    return ignored_listeners(o, validate(o, flags.is_set("listeners")).value());
  };
  for (const auto* list : {"-ignore-listeners=default", "-ignore-listeners="}) {
    const auto all = ignored({"-docker", "-privilegedService", "-listeners", "-vtunnelAddr=127.0.0.1:3999", list});
    EXPECT_TRUE(all.contains(net::protocol::tcp, 3999)) << list;
    EXPECT_FALSE(all.contains(net::protocol::udp, 3999)) << list;
    EXPECT_FALSE(all.contains(net::protocol::tcp, 3040)) << list;
  }
  EXPECT_FALSE(ignored({"-docker", "-vtunnelAddr=127.0.0.1:3999"}).contains(net::protocol::tcp, 3999));
}

TEST(composition, an_engines_own_sockets_are_left_out_where_it_is_asked_itself) {
  using testing::ElementsAre;
  options o;
  EXPECT_THAT(watched_engines(o, {.path = "/run/docker.sock"}), testing::IsEmpty());
  o.docker = true;
  auto engines = watched_engines(o, {.path = "/run/docker.sock"});
  ASSERT_EQ(engines.size(), 2U);
  EXPECT_EQ(engines[0].socket, "/run/docker.sock");
  EXPECT_THAT(engines[0].programs, ElementsAre("dockerd", "docker-proxy"));
  EXPECT_EQ(engines[1].socket, "/run/containerd/containerd.sock") << "which dockerd uses if it is there";
  EXPECT_THAT(engines[1].programs, ElementsAre("containerd"));
  engines = watched_engines(o, {.host = "127.0.0.1", .port = 2375});
  EXPECT_EQ(engines.at(0).socket, "");
  EXPECT_EQ(engines.at(0).tcp, net::parse_endpoint("127.0.0.1:2375"));
  EXPECT_EQ(watched_engines(o, {.host = "docker.example", .port = 2375}).at(0).tcp, std::nullopt);
  o.containerd = true;
  engines = watched_engines(o, {.path = "/run/docker.sock"});
  ASSERT_EQ(engines.size(), 3U);
  EXPECT_EQ(engines[1].socket, o.containerd_socket);
  EXPECT_THAT(engines[1].programs, ElementsAre("containerd"));
  o.containerd_socket = "/run/containerd/containerd.sock";
  EXPECT_EQ(watched_engines(o, {.path = "/run/docker.sock"}).size(), 2U);
}

}  // namespace
}  // namespace guest_agent
