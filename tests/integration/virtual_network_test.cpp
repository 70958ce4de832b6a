// host-switch's virtual network with Linux's own stack as the VM.
#include <sys/socket.h>

#include <cerrno>

#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

class virtual_network : public virtual_network_lab {};

constexpr std::size_t many = 20 * megabyte;

TEST_F(virtual_network, megabytes_out_and_back_are_whole_after_a_half_close) {
  start_and_wait();
  auto both = connect_out();
  ASSERT_TRUE(both.client && both.server);
  expect_bytes(both.client.get(), both.server.get(), many);
  expect_bytes(both.server.get(), both.client.get(), many);
}

TEST_F(virtual_network, megabytes_in_and_back_are_whole_after_a_half_close) {
  start_and_wait();
  auto both = connect_in();
  ASSERT_TRUE(both.client && both.server);
  expect_bytes(both.client.get(), both.server.get(), many);
  expect_bytes(both.server.get(), both.client.get(), many);
}

TEST_F(virtual_network, a_closed_port_refuses_at_once) {
  start_and_wait();
  EXPECT_TRUE(support::refused(*vm_, lan_server));
  EXPECT_TRUE(support::refused(*vm_, {host_alias, 9}));
  EXPECT_TRUE(support::refused(*vm_, {gateway_api.ip, 81}));
}

TEST_F(virtual_network, a_reset_passes_both_ways) {
  start_and_wait();
  auto one = connect_out();
  ASSERT_TRUE(one.client && one.server);
  reset(one.server);
  expect_reset(one.client.get());
  auto other = connect_out();
  ASSERT_TRUE(other.client && other.server);
  reset(other.client);
  expect_reset(other.server.get());
}

TEST_F(virtual_network, a_client_of_an_exposed_port_that_nothing_serves_is_reset) {
  start_and_wait();
  ASSERT_EQ(expose("10.99.1.1:8080", "192.168.127.2:8080"), 200);
  auto client = support::open_socket(*lan_, protocol::tcp, {net::address::v4(10, 99, 1, 1), 8080}, false);
  if (!client) return;  // the reset came before the connect had returned
  set_blocking(client.get());
  expect_reset(client.get());
}

TEST_F(virtual_network, an_exposed_udp_port_answers_each_client) {
  start_and_wait();
  const auto server = serve(*vm_, {"udp:5300"}, "vm");
  ASSERT_EQ(expose("0.0.0.0:5300", "192.168.127.2:5300", "udp"), 200);
  const net::endpoint to{net::address::v4(10, 99, 1, 1), 5300};
  EXPECT_TRUE(eventually(5s, [&] { return support::ask(*lan_, protocol::udp, to, "a") == "vm a"; }));
  EXPECT_EQ(support::ask(*host_, protocol::udp, {net::address::loopback_v4(), 5300}, "b"), "vm b");
  EXPECT_EQ(support::ask(*host_, protocol::udp, {net::address::loopback_v6(), 5300}, "c"), "vm c");
  EXPECT_EQ(support::ask(*lan_, protocol::udp, to, std::string(8000, 'x')), "vm " + std::string(8000, 'x'));
}

TEST_F(virtual_network, the_vm_asks_udp_servers_of_the_lan_and_of_the_host) {
  start_and_wait();
  const auto lan = serve(*lan_, {"udp:5300"}, "lan"), host = serve(*host_, {"udp:127.0.0.1/5300"}, "host");
  EXPECT_TRUE(eventually(
      5s, [&] { return support::ask(*vm_, protocol::udp, {net::address::v4(10, 99, 1, 2), 5300}, "a") == "lan a"; }));
  EXPECT_TRUE(eventually(5s, [&] { return support::ask(*vm_, protocol::udp, {host_alias, 5300}, "b") == "host b"; }));
}

TEST_F(virtual_network, a_closed_udp_port_is_reported_to_the_vm) {
  start_and_wait();
  auto fd = support::open_socket(*vm_, protocol::udp, {net::address::v4(10, 99, 1, 2), 9}, false);
  ASSERT_TRUE(fd);
  EXPECT_TRUE(eventually(5s, [&] { return ::send(fd.get(), "x", 1, MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED; }));
}

TEST_F(virtual_network, the_host_answers_by_its_alias_and_not_without_nat) {
  const auto server = serve(*host_, {"tcp:127.0.0.1/7001"}, "host");
  start_and_wait();
  EXPECT_TRUE(eventually(5s, [&] { return support::ask(*vm_, protocol::tcp, {host_alias, 7001}, "\n").has_value(); }));
  EXPECT_EQ(host_switch_.stop(), 0);
  start_and_wait({"-nat=off"});
  EXPECT_FALSE(support::ask(*vm_, protocol::tcp, {host_alias, 7001}, "\n"));
}

TEST_F(virtual_network, names_are_resolved_over_udp_and_tcp) {
  start_and_wait();
  const auto asked = in_vm({"busybox", "nslookup", "host.docker.internal", "192.168.127.1"});
  EXPECT_NE(asked.text.find("192.168.127.254"), std::string::npos) << asked.text;
  // Over TCP a question has its length in front.
  const std::string question(
      "\x00\x26\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04host\x06"
      "docker\x08internal\x00\x00\x01\x00\x01",
      40);
  const auto answer = support::ask(*vm_, protocol::tcp, {gateway_api.ip, 53}, question);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->ends_with("\xc0\xa8\x7f\xfe"));
}

TEST_F(virtual_network, udhcpc_gets_the_vms_lease) {
  start_and_wait();
  const auto asked = in_vm({"busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-s", "/bin/true"});
  EXPECT_EQ(asked.exit_code, 0) << asked.text;
  EXPECT_NE(asked.text.find("192.168.127.2 obtained"), std::string::npos) << asked.text;
}

TEST_F(virtual_network, ping_reaches_the_gateway_and_the_host) {
  start_and_wait();
  for (const auto* to : {"192.168.127.1", "192.168.127.254"})
    EXPECT_EQ(in_vm({"busybox", "ping", "-c1", "-W2", "-s1472", to}).exit_code, 0) << to;
}

TEST_F(virtual_network, the_api_is_out_of_reach_for_the_lan_and_the_host) {
  start_and_wait();
  for (const auto* from : {&*lan_, &*host_})
    EXPECT_FALSE(support::http_get(*from, gateway_api, "/services/forwarder/all"));
  EXPECT_TRUE(support::listening_sockets(*host_).empty());
}

TEST_F(virtual_network, the_vm_exposes_its_own_address_alone) {
  start_and_wait();
  EXPECT_EQ(expose("127.0.0.1:8080", "192.168.127.3:80"), 500);
  EXPECT_EQ(expose("127.0.0.1:8080", "192.168.127.254:80"), 500);
  EXPECT_EQ(expose("127.0.0.1:8080", "192.168.127.2:80"), 200);
}

TEST_F(virtual_network, a_link_that_comes_back_finds_its_connections) {
  start_and_wait();
  auto both = connect_out();
  ASSERT_TRUE(both.client && both.server);
  carrier_->pause();
  ASSERT_TRUE(eventually(5s, [&] { return log().find("link ended") != std::string::npos; }));
  carrier_->resume();
  expect_bytes(both.client.get(), both.server.get(), megabyte);
}

TEST_F(virtual_network, a_killed_host_switch_comes_back_and_dead_connections_are_reset) {
  start_and_wait();
  auto both = connect_out();
  ASSERT_TRUE(both.client && both.server);
  host_switch_.kill9();
  const auto began = std::chrono::steady_clock::now();
  start();
  ASSERT_TRUE(eventually(10s, [this] { return vm_is_connected(); })) << log();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
  static_cast<void>(::send(both.client.get(), "x", 1, MSG_NOSIGNAL));
  expect_reset(both.client.get());
}

TEST_F(virtual_network, the_control_socket_shows_leases_stations_and_counters) {
  start_and_wait();
  const auto get = [&](const std::string& path) {
    return support::run_command({.argv = {"curl", "-s", "--unix-socket", at("control.sock"), "http://x" + path}}).text;
  };
  EXPECT_NE(get("/leases").find("\"192.168.127.2\":\"5a:94:ef:e4:0c:ee\""), std::string::npos) << get("/leases");
  EXPECT_NE(get("/cam").find("\"5a:94:ef:e4:0c:ee\":1"), std::string::npos) << get("/cam");
  EXPECT_NE(get("/metrics").find("host_switch_links 1"), std::string::npos) << get("/metrics");
  EXPECT_EQ(get("/services/forwarder/all"), "[]\n");
}

TEST_F(virtual_network, with_source_address_client_the_vm_sees_who_connects) {
  start_and_wait({"-source-address=client"});
  const auto both = connect_in();
  ASSERT_TRUE(both.client && both.server);
  net::socket_address peer;
  ASSERT_EQ(::getpeername(both.server.get(), peer.get(), &peer.size), 0);
  EXPECT_EQ(net::from_sockaddr(peer)->ip, net::address::v4(10, 99, 1, 2));
}

}  // namespace
}  // namespace integration
