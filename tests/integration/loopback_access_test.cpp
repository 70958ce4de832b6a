// Which clients reach which ports by the loopback sink's rules and relays, with both real variants of iptables, and
// real packets.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <fstream>
#include <set>

#include "tests/integration/loopback_fixture.hpp"
#include "tests/support/eventually.hpp"

namespace {

using namespace support;
using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

class loopback_access : public loopback_fixture {};

// As CNI's portmap plugin publishes a port of every address with its nftables backend.
void publish_by_nftables(const netns& where, int port, const std::string& target) {
  run_or_throw({.argv = {"nft",
                         "add table ip cni_hostport; add chain ip cni_hostport hostports;"
                         "add chain ip cni_hostport prerouting { type nat hook prerouting priority dstnat; };"
                         "flush chain ip cni_hostport prerouting; flush chain ip cni_hostport hostports;"
                         "add rule ip cni_hostport prerouting jump hostports;"
                         "add rule ip cni_hostport hostports tcp dport " +
                             std::to_string(port) + " dnat to " + target + " comment \"web\""},
                .net_namespace = where.path()});
}

// The relay listened on the port itself, and a server of the VM's could not have it: 127.0.0.1:P and then
// 192.168.127.2:P failed, and so did going from 127.0.0.1 to 0.0.0.0.
TEST_P(loopback_access, relays_take_no_port_that_a_server_wants) {
  for (const bool engine : {true, false}) {
    SetUp();
    if (engine) lab_->engine.start();
    list();
    add(key("127.0.0.1", 9000, protocol::udp));
    add(key("127.0.0.1", 9000));
    for (const auto& at : {tap, veth, net::address::any_v4()})
      for (const auto p : {protocol::tcp, protocol::udp})
        EXPECT_TRUE(open_socket(lab_->rd, p, {at, 9000}, true)) << at.to_string();
    sink_.reset();
  }
}

// kube-proxy's nftables mode publishes NodePorts at the primary address only, here the tap's.
TEST_P(loopback_access, a_services_port_that_answers_at_the_primary_address_alone_is_reached_from_the_veth) {
  lab_->serve(lab_->one, "pod", {"tcp:80"});
  run_or_throw({.argv = {"nft",
                         "add table ip kube-proxy; add chain ip kube-proxy pre { type nat hook prerouting priority "
                         "dstnat; }; add chain ip kube-proxy out { type nat hook output priority -100; };"
                         "add rule ip kube-proxy pre ip daddr 192.168.127.2 tcp dport 30080 dnat to 172.17.0.2:80;"
                         "add rule ip kube-proxy out ip daddr 192.168.127.2 tcp dport 30080 dnat to 172.17.0.2:80"},
                .net_namespace = lab_->rd.path()});
  lab_->engine.start();
  list();
  EXPECT_EQ(from_host(30080), "pod\n");
  EXPECT_EQ(from_wsl(30080), std::nullopt);
  const ports::forward node_port{key("0.0.0.0", 30080), 0, {}, "uid", ports::serving::every_address};
  EXPECT_EQ(apply({{verb::add, node_port}}).at(0).kind, outcome_kind::done);
  EXPECT_EQ(from_wsl(30080), "pod\n");
  EXPECT_EQ(from_host(30080), "pod\n");
  EXPECT_EQ(apply({{verb::remove, node_port}}).at(0).kind, outcome_kind::done);
  EXPECT_EQ(from_wsl(30080), std::nullopt);
}

// A killed network-setup makes it again under its name and with its address.
TEST_P(loopback_access, a_veth_that_is_made_again_between_two_looks_reaches_relays) {
  lab_->serve(lab_->rd, "node", {"tcp:30080", "udp:30081"});
  lab_->engine.start();
  const ports::forward service{key("0.0.0.0", 30080), 0, {}, "uid", ports::serving::every_address};
  ports::forward datagrams = service;
  datagrams.key = key("0.0.0.0", 30081, protocol::udp);
  for (const auto& o : apply({{verb::add, service}, {verb::add, datagrams}})) EXPECT_EQ(o.kind, outcome_kind::done);
  ASSERT_EQ(from_wsl(30080), "node\n");
  lab_->rd.ip({"link", "delete", "veth0"});
  lab_->connect_veth();
  EXPECT_TRUE(notified());
  list();
  EXPECT_EQ(from_wsl(30080), "node\n");
  EXPECT_EQ(from_wsl(30081, protocol::udp), "node x");
}

// An established connection looks new to connection tracking that starts in its middle.
TEST_P(loopback_access, a_connection_that_is_older_than_connection_tracking_goes_on) {
  lab_->serve(lab_->rd, "local", {"tcp:192.168.127.2/9000"});
  const auto client = open_socket(lab_->host, protocol::tcp, {tap, 9000}, false);
  lab_->engine.start();  // the namespace's first rules: connections are tracked from now on
  list();
  add_listener(key("127.0.0.1", 9000));
  ::send(client.get(), "x", 1, 0);
  std::array<char, 64> answer{};
  pollfd one{.fd = client.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&one, 1, 3000), 1);
  EXPECT_GT(::recv(client.get(), answer.data(), answer.size(), MSG_DONTWAIT), 0);
}

// As `nc -l`, which takes one client.
TEST_P(loopback_access, a_connection_goes_on_when_its_server_stops_listening) {
  lab_->engine.start();
  list();
  auto listener = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v4(), 9000}, true);
  add_listener(key("127.0.0.1", 9000));
  auto client = open_socket(lab_->host, protocol::tcp, {tap, 9000}, false);
  base::unique_fd server(::accept(listener.get(), nullptr, nullptr));
  ASSERT_TRUE(server);
  listener.reset();
  remove(key("127.0.0.1", 9000));
  EXPECT_THAT(ours(chain), IsEmpty());
  ::send(client.get(), "x", 1, 0);
  EXPECT_EQ(receive_once(server.get()), "x");
  client.reset();
  server.reset();
  EXPECT_TRUE(eventually(5s, [&] { return list().empty() && route_localnet() == "0"; }));
}

// ip_forward is on in the lab, and route_localnet by the rule to 127.0.0.1.
TEST_P(loopback_access, containers_and_the_lan_get_no_access_that_they_did_not_have) {
  const netns lan("lan");
  connect({&lab_->rd, "lan0", "10.20.0.1/24"}, {&lan, "eth0", "10.20.0.2/24"});
  lan.ip({"route", "add", "default", "via", "10.20.0.1"});
  lab_->serve(lab_->one, "web", {"tcp:80"});
  lab_->serve(lab_->rd, "local", {"tcp:127.0.0.1/9000", "udp:127.0.0.1/53"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  list();
  add(key("127.0.0.1", 8080));
  add_listener(key("127.0.0.1", 9000));
  add(key("127.0.0.1", 53, protocol::udp), 53);
  const auto listening = listening_sockets(lab_->rd);
  std::set<std::uint16_t> tcp{8080, 9000}, udp{53};
  for (const auto& socket : listening) (socket.protocol == protocol::tcp ? tcp : udp).insert(socket.at.port);
  EXPECT_EQ(from_host(8080), "web\n");
  EXPECT_EQ(from_host(9000), "local\n");
  EXPECT_EQ(from_host(53, protocol::udp), "local x");
  for (const netns* from : std::initializer_list<const netns*>{&lab_->two, &lan})
    for (const auto* at : {"172.17.0.1", "10.20.0.1", "192.168.127.2", "192.168.143.1"}) {
      const auto to = net::address::parse(at).value();
      for (const auto port : tcp)
        EXPECT_EQ(ask(*from, protocol::tcp, {to, port}, "x", 100ms), std::nullopt) << at << ' ' << port;
      for (const auto port : udp)
        EXPECT_EQ(ask(*from, protocol::udp, {to, port}, "x", 100ms), std::nullopt) << at << ' ' << port;
    }
}

// The peer's own route for 127.0.0.0/8 leads to the VM, which accepts such packets while route_localnet is on.
void route_loopback_to_the_vm(const netns& peer, const std::string& device, const std::string& via) {
  peer.run([&] { std::ofstream("/proc/sys/net/ipv4/conf/" + device + "/route_localnet") << "1"; });
  peer.ip({"address", "del", "127.0.0.1/8", "dev", "lo"});
  peer.ip({"route", "add", "127.0.0.0/8", "via", via, "dev", device});
}

TEST_P(loopback_access, packets_that_a_peer_addresses_to_loopback_itself_are_dropped) {
  lab_->serve(lab_->rd, "local", {"tcp:127.0.0.1/9000"});
  lab_->serve(lab_->rd, "secret", {"tcp:127.0.0.1/9001", "udp:127.0.0.2/9001"});
  route_loopback_to_the_vm(lab_->host, "eth0", "192.168.127.2");
  route_loopback_to_the_vm(lab_->wsl, "eth0", "192.168.143.1");
  lab_->engine.start();
  list();
  add_listener(key("127.0.0.1", 9000));
  ASSERT_EQ(route_localnet(), "1");
  const auto secret = [&](const netns& from) {
    const auto tcp = ask(from, protocol::tcp, *net::parse_endpoint("127.0.0.1:9001"), "x", 300ms);
    const auto udp = ask(from, protocol::udp, *net::parse_endpoint("127.0.0.2:9001"), "x", 300ms);
    return tcp.value_or("") + udp.value_or("");
  };
  EXPECT_EQ(secret(lab_->host), "");
  EXPECT_EQ(secret(lab_->wsl), "");
  EXPECT_EQ(from_host(9000), "local\n");
  EXPECT_EQ(from_wsl(9000), "local\n");
  run_or_throw({.argv = {"nft", "delete", "table", "ip", chain + "-localnet"}, .net_namespace = lab_->rd.path()});
  EXPECT_EQ(secret(lab_->host), "secret\nsecret x") << "the test's packets come through without it";
  EXPECT_TRUE(eventually(5s, [&] {
    static_cast<void>(run_task(context_, async::within(500ms, sink_->changed())));
    return secret(lab_->host).empty();
  }));
  close();
  EXPECT_EQ(route_localnet(), "0");
  EXPECT_EQ(run_or_throw({.argv = {"nft", "list", "tables"}, .net_namespace = lab_->rd.path()}).find("localnet"),
            std::string::npos);
}

// A route by way of the host leads packets of others to the tap.
TEST_P(loopback_access, a_client_behind_the_host_gets_no_access) {
  const netns lan("lan");
  connect({&lab_->host, "lan0", "10.20.0.1/24"}, {&lan, "eth0", "10.20.0.2/24"});
  lab_->host.run([] { std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1"; });
  lan.ip({"route", "add", "192.168.127.0/24", "via", "10.20.0.1"});
  lab_->rd.ip({"route", "add", "10.20.0.0/24", "via", "192.168.127.1"});
  lab_->serve(lab_->rd, "local", {"tcp:127.0.0.1/9000", "udp:127.0.0.1/53"});
  lab_->engine.start();
  list();
  add_listener(key("127.0.0.1", 9000));
  add(key("127.0.0.1", 53, protocol::udp), 53);
  for (const auto& socket : listening_sockets(lab_->rd)) {
    EXPECT_EQ(ask(lan, socket.protocol, {tap, socket.at.port}, "x", 200ms), std::nullopt) << socket.at.port;
  }
  EXPECT_EQ(ask(lan, protocol::udp, {tap, 53}, "x", 200ms), std::nullopt);
  EXPECT_EQ(from_host(9000), "local\n");
}

// Containers are masqueraded as the VM, so host-switch cannot distinguish them from the agent.
TEST_P(loopback_access, forwarded_packets_are_kept_from_the_api) {
  const auto gateway = net::address::v4(192, 168, 127, 1);
  const auto api = open_socket(lab_->host, protocol::tcp, {gateway, 80}, true);
  lab_->engine.start();
  EXPECT_FALSE(refused(lab_->one, {gateway, 80}));
  auto guarded = options();
  guarded.api = loopback::guarded_server{gateway.to_string(), 80};
  start_sink(guarded);
  list();
  EXPECT_TRUE(refused(lab_->one, {gateway, 80}));
  EXPECT_FALSE(refused(lab_->rd, {gateway, 80}));
  run_or_throw({.argv = {"nft", "flush ruleset"}, .net_namespace = lab_->rd.path()});
  EXPECT_FALSE(refused(lab_->one, {gateway, 80}));
  EXPECT_TRUE(eventually(5s, [&] {
    static_cast<void>(run_task(context_, async::within(500ms, sink_->changed())));
    return refused(lab_->one, {gateway, 80});
  }));
  sink_.reset();  // killed
  EXPECT_TRUE(refused(lab_->one, {gateway, 80}));
  start_sink(guarded);
  list();
  close();
  EXPECT_FALSE(refused(lab_->one, {gateway, 80}));
}

// The catch-all pair took these ports. Of two chains with one priority the kernel runs the latest first.
TEST_P(loopback_access, ports_that_another_chain_publishes_are_left_alone_whichever_came_first) {
  for (const bool nftables_first : {true, false}) {
    SetUp();
    lab_->serve(lab_->one, "web", {"tcp:80"});
    if (nftables_first) publish_by_nftables(lab_->rd, 8080, "172.17.0.2:80");
    lab_->engine.start();
    list();
    add_listener(key("127.0.0.1", 9000));
    publish_by_nftables(lab_->rd, 8081, "172.17.0.2:80");
    EXPECT_EQ(from_host(8081), "web\n") << nftables_first;
    EXPECT_EQ(from_wsl(8081), "web\n") << nftables_first;
    sink_.reset();
  }
}

TEST_P(loopback_access, the_containers_way_out_is_as_before) {
  lab_->engine.start();
  list();
  lab_->serve(lab_->host, "outside", {"tcp:7"});
  EXPECT_EQ(ask(lab_->one, protocol::tcp, *net::parse_endpoint("192.168.127.1:7"), "x"), "outside\n");
  EXPECT_EQ(ask(lab_->rd, protocol::tcp, *net::parse_endpoint("192.168.127.1:7"), "x"), "outside\n");
}

INSTANTIATE_TEST_SUITE_P(, loopback_access, testing::Values(nat_variant::nft, nat_variant::legacy),
                         [](const auto& about) { return std::string(netfilter::to_string(about.param)); });

}  // namespace
