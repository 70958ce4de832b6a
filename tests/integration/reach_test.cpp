// Access to the sockets of the agent, wsl-proxy, privileged-service and vtunnel. Each attempt succeeds for root, and
// fails for another user of the VM or the host, a container behind masquerade, and a machine on the host's LAN. Every
// program has its unit's rights.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>

#include "tests/support/eventually.hpp"
#include "tests/support/lab.hpp"
#include "tests/support/neighbour.hpp"
#include "tests/support/unix_probe.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::child_process;
using support::connect_unix;
using support::eventually;
using support::place;
using support::unprivileged;

const net::endpoint peer_at = support::vtunnel_peer_at;
const net::endpoint service_at{net::address::loopback_v4(), 4444};
const auto vm_address = net::address::v4(192, 168, 127, 2);
constexpr auto patience = 20s;
constexpr std::array sockets{"service",          "data", "handshake", "wsl-proxy", "status", "service-metrics",
                             "wsl-proxy-metrics"};

std::string mapping(std::uint16_t port, const std::string& vm = "192.168.127.2", bool remove = false) {
  return fmt::format(R"({{"remove":{},"ports":{{"80/tcp":[{{"HostIp":"127.0.0.1","HostPort":"{}"}}]}},)"
                     R"("connectAddrs":[{{"network":"ip+net","addr":"{}/24"}}]}})"
                     "\n",
                     remove, port, vm);
}

class reach : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto missing = support::lab::missing(); !missing.empty()) GTEST_SKIP() << missing;
    host_.emplace("host"), vm_.emplace("vm");
    support::connect({&*host_, "rd", "192.168.127.1/24"}, {&*vm_, "eth0", "192.168.127.2/24"});
    const auto d = directory_.path().string();
    std::ofstream(at("vtunnel.yaml")) << fmt::format(
        "tunnel:\n  - {{name: t, handshake-port: 'unix:{0}/handshake', vsock-host-port: 'unix:{0}/data', "
        "peer-address: 127.0.0.1, peer-port: {1}, upstream-server-address: 'unix:{0}/service'}}\n",
        d, peer_at.port);
    service_ = start(*host_, "privileged-service",
                     {"-socketFile=" + at("service"), "-metrics-socket=" + at("service-metrics")});
    peer_ = start(*vm_, "vtunnel", {"peer", "-config-path=" + at("vtunnel.yaml")});
    tunnel_host_ = start(*host_, "vtunnel", {"host", "-config-path=" + at("vtunnel.yaml")});
    wsl_proxy_ = start(*vm_, "wsl-proxy",
                       {"-logfile=", "-socketFile=" + at("wsl-proxy"), "-metrics-socket=" + at("wsl-proxy-metrics")});
    agent_ = start(*vm_, "rancher-desktop-guestagent", agent_flags());
    for (const auto* name : sockets)
      ASSERT_TRUE(eventually(patience, [&] { return std::filesystem::is_socket(at(name)); })) << name << log();
  }
  void TearDown() override {
    if (HasFailure()) std::fputs(log().c_str(), stderr);
  }
  [[nodiscard]] std::string at(const std::string& name) const { return (directory_.path() / name).string(); }
  [[nodiscard]] std::string log() const { return support::read_text(at("log")); }
  [[nodiscard]] std::vector<std::string> agent_flags() const {
    return {"-adminInstall",
            "-docker",
            "-iptables=false",
            "-listeners=false",
            "-docker-socket=" + at("docker"),
            "-status-socket=" + at("status"),
            "-state-dir=" + at("state"),
            "-wsl-proxy-socket=" + at("wsl-proxy"),
            "-host-switch-url=http://127.0.0.1:1"};
  }
  child_process start(const support::netns& where, const std::string& program, std::vector<std::string> flags) const {
    const auto rights = support::rights_of_unit(support::unit_of(program, flags));
    flags.insert(flags.begin(), support::program_directory() / program);
    return child_process({.argv = flags, .log = at("log"), .net_namespace = where.path(), .rights = rights});
  }
  // Sends it, ends its side and waits for the other side's end.
  static void send(const place& from, const net::endpoint& to, const std::string& text) {
    static_cast<void>(support::ask(from, protocol::tcp, to, text, 2s));
  }
  [[nodiscard]] bool host_listens(std::uint16_t port) const {
    return support::listening_sockets(*host_).contains({protocol::tcp, {net::address::loopback_v4(), port}});
  }
  // The attempt of another user, and then root's own, which succeeds.
  void expect_only_root(const place& other, const net::endpoint& to) {
    send(other, to, mapping(18'001));
    ASSERT_TRUE(eventually(patience, [&] {
      send(place(other.where()), to, mapping(18'002));
      return host_listens(18'002);
    }));
    EXPECT_FALSE(host_listens(18'001));
  }

  support::lab_directory directory_;
  std::optional<support::netns> host_, vm_;
  child_process service_, peer_, tunnel_host_, wsl_proxy_, agent_;
};

TEST_F(reach, unix_sockets_are_root_s_alone) {
  for (const auto* name : sockets)
    for (const auto* where : {&*host_, &*vm_}) {
      EXPECT_EQ(connect_unix(place(*where, unprivileged), at(name)), EACCES) << name;
      EXPECT_EQ(connect_unix(place(*where), at(name)), 0) << name;
    }
}

TEST_F(reach, another_user_of_the_vm_opens_no_port_of_the_host) {
  expect_only_root(place(*vm_, unprivileged), peer_at);
  EXPECT_TRUE(support::refused(place(*vm_, unprivileged), peer_at)) << log();
}

TEST_F(reach, another_user_of_the_host_opens_none_by_the_service_s_tcp_port) {
  service_.stop();
  service_ = start(*host_, "privileged-service", {"-listen=" + net::to_string(service_at)});
  ASSERT_TRUE(eventually(patience, [&] { return !support::refused(*host_, service_at); })) << log();
  expect_only_root(place(*host_, unprivileged), service_at);
  EXPECT_TRUE(log().contains("its owner is neither root nor this program's user")) << log();
}

TEST_F(reach, neither_a_container_nor_a_machine_on_the_lan_reaches_the_tunnel) {
  const support::neighbour container(*vm_, "container", 1), lan(*host_, "lan", 2);
  container.masquerade(), lan.masquerade();
  for (const auto& to : {container.router_address(), vm_address, net::address::loopback_v4()}) {
    EXPECT_EQ(support::ask(container, protocol::tcp, {to, peer_at.port}, mapping(18'001)), std::nullopt);
    EXPECT_EQ(support::ask(lan, protocol::tcp, {to, peer_at.port}, mapping(18'001)), std::nullopt);
  }
  EXPECT_FALSE(host_listens(18'001));
}

TEST_F(reach, a_vm_has_nothing_relayed_to_the_host_or_to_a_third_machine) {
  const support::neighbour lan(*host_, "lan", 1);
  host_->ip({"route", "add", "default", "via", lan.address().to_string()});
  std::uint16_t port = 18'010;
  for (const auto& target : {std::string("127.0.0.1"), std::string("192.168.127.1"), lan.router_address().to_string(),
                             lan.address().to_string(), std::string("198.51.100.1"), std::string("192.168.127.255")})
    send(*vm_, peer_at, mapping(port++, target));
  ASSERT_TRUE(eventually(patience, [&] {
    send(*vm_, peer_at, mapping(18'002));
    return host_listens(18'002);
  }));
  for (std::uint16_t refused = 18'010; refused < port; ++refused) EXPECT_FALSE(host_listens(refused)) << refused;
}

TEST_F(reach, a_flood_of_messages_and_connections_writes_little) {
  for (int i = 0; i < 300; ++i) {
    send(*vm_, peer_at, mapping(static_cast<std::uint16_t>(20'000 + i)));
    send(*vm_, peer_at, "nonsense\n");
    static_cast<void>(support::open_socket(place(*vm_, unprivileged), protocol::tcp, peer_at, false));
  }
  EXPECT_LT(std::ranges::count(log(), '\n'), 250) << log();
}

TEST_F(reach, a_second_agent_with_the_same_state_does_not_start_and_a_stopped_one_leaves_no_socket) {
  auto flags = agent_flags();
  flags.push_back("-status-socket=" + at("other-status"));
  auto second = start(*vm_, "rancher-desktop-guestagent", flags);
  EXPECT_EQ(second.wait(patience), 1);
  EXPECT_TRUE(log().contains("another agent is running with the state directory " + at("state"))) << log();
  EXPECT_EQ(agent_.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(at("status")));
  agent_ = start(*vm_, "rancher-desktop-guestagent", agent_flags());
  EXPECT_TRUE(eventually(patience, [&] { return std::filesystem::is_socket(at("status")); })) << log();
}

}  // namespace
}  // namespace integration
