// Which clients reach host-switch, and which do not: the LAN, other users of the host, containers, web pages. And what
// one client can exhaust.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "tests/integration/host_switch_lab.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/unix_probe.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;
using support::http_status;
using support::open_socket;
using support::place;
using support::unprivileged;
using testing::HasSubstr;

net::endpoint at(std::string_view text) { return *net::parse_endpoint(text); }

class host_switch_access : public host_switch_lab {
 protected:
  // Neither `all` nor `expose` has an effect, at any address of the host.
  void expect_refused(const place& from, std::vector<std::string> addresses) {
    for (const auto& ip : addresses) {
      const auto there = at(ip + ":80");
      EXPECT_NE(all(from, there), 200) << ip;
      EXPECT_NE(all(from, there, ip), 200) << ip;
      EXPECT_NE(expose(from, "0.0.0.0:9999", "192.168.127.2:80", {fmt::format("Host: {}", gateway)}, there), 200) << ip;
      EXPECT_NE(expose(from, "0.0.0.0:9999", ":80", {"Host: " + ip}, there), 200) << ip;
    }
    EXPECT_EQ(held(), "[]\n");
  }
};

TEST_F(host_switch_access, the_vm_is_served) {
  start_and_wait();
  EXPECT_THAT(log(), HasSubstr("listening api=192.168.127.1:80 interface=rd"));
  EXPECT_EQ(all(*vm_, api, "192.168.127.1"), 200) << "-host-switch-url=http://192.168.127.1";
  EXPECT_EQ(all(*vm_, api, "192.168.127.1:80"), 200);
  EXPECT_EQ(all({*vm_, unprivileged}), 200) << "the VM is one client: its users are not distinguished";
  EXPECT_EQ(expose(*vm_, "0.0.0.0:8080", ":80"), 200);
  EXPECT_EQ(held(), "[{\"local\":\"0.0.0.0:8080\",\"remote\":\"192.168.127.2:80\",\"protocol\":\"tcp\"}]\n");
}

TEST_F(host_switch_access, the_lan_is_refused) {
  const support::neighbour lan(*host_, "lan", 1);
  start_and_wait();
  expect_refused(lan, {"192.168.127.1", "10.99.1.1"});
}

TEST_F(host_switch_access, the_lan_is_refused_with_an_address_of_the_vms_network) {
  const support::neighbour lan(*host_, "lan", 1);
  lan.where().ip({"address", "add", "192.168.127.77/32", "dev", "eth0"});
  lan.where().ip({"route", "replace", "default", "via", "10.99.1.1", "src", "192.168.127.77"});
  host_->ip({"route", "add", "192.168.127.77/32", "via", "10.99.1.2"});  // answers could be routed back
  start_and_wait();
  expect_refused(lan, {"192.168.127.1"});
}

// The same without the binding to a device: there is none if the loopback interface has the address.
TEST_F(host_switch_access, the_lan_and_the_hosts_users_are_refused_by_their_address_alone) {
  const support::neighbour lan(*host_, "lan", 1);
  host_->ip({"address", "add", "192.168.127.9/32", "dev", "lo"});
  start({"-api-address=192.168.127.9:80"});
  const auto by_alias = at("192.168.127.9:80");
  ASSERT_TRUE(eventually(10s, [&] { return all(*vm_, by_alias, "192.168.127.9") == 200; })) << log();
  EXPECT_THAT(log(), HasSubstr("listening api=192.168.127.9:80 interface=any"));
  for (const place& from : {place(lan), place(*host_), place(*host_, unprivileged)}) {
    ASSERT_TRUE(open_socket(from, protocol::tcp, by_alias, false)) << "it does arrive there";
    EXPECT_EQ(all(from, by_alias, "192.168.127.9"), 0);
    EXPECT_EQ(expose(from, "0.0.0.0:9999", "192.168.127.2:80", {"Host: 192.168.127.9"}, by_alias), 0);
  }
  EXPECT_THAT(log(), HasSubstr("refused a connection reason="));
}

TEST_F(host_switch_access, users_of_the_host_are_refused) {
  start_and_wait();
  for (const auto user : {uid_t{0}, unprivileged}) expect_refused({*host_, user}, {"192.168.127.1", "127.0.0.1"});
}

TEST_F(host_switch_access, a_container_that_is_not_masqueraded_is_refused) {
  const support::neighbour container(*vm_, "container", 2);
  support::run_or_throw({.argv = {"sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"}, .net_namespace = vm_->path()});
  host_->ip({"route", "add", "10.99.2.0/24", "via", "192.168.127.2"});
  start_and_wait();
  ASSERT_TRUE(open_socket(container, protocol::tcp, api, false)) << "its packets do arrive";
  expect_refused(container, {"192.168.127.1"});
}

TEST_F(host_switch_access, its_metrics_are_its_owner_s_alone) {
  const auto path = (directory_->path() / "metrics.sock").string();
  start_and_wait({"-metrics-socket=" + path});
  EXPECT_EQ(expose(*vm_, "127.0.0.1:8080", ":80"), 200);
  const auto read = support::run_command({.argv = {"curl", "-s", "--unix-socket", path, "http://x/metrics"}});
  EXPECT_THAT(read.text, HasSubstr("\nhost_switch_port_connections_total{protocol=\"tcp\",address=\"127.0.0.1\","
                                   "port=\"8080\"} 0\n"));
  EXPECT_EQ(support::connect_unix({*host_, unprivileged}, path), EACCES);
  EXPECT_EQ(support::connect_unix(*host_, path), 0);
}

TEST(host_switch_flags, the_virtual_network_has_its_metrics_at_the_control_socket) {
  const auto refused = support::run_command(
      {.argv = {support::program_directory() / "host-switch", "-listen=unix:///none", "-metrics-socket=/none"}});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.text, HasSubstr("-metrics-socket needs -network kernel"));
}

TEST_F(host_switch_access, a_web_page_is_refused) {
  start_and_wait();
  for (const place& from : {place(*vm_), place(*vm_, unprivileged)}) {
    auto cross_site = support::cross_site_headers("192.168.127.1");
    EXPECT_EQ(expose(from, "0.0.0.0:9999", ":80", cross_site), 403);
    const std::vector<std::string> host = {fmt::format("Host: {}", gateway)};
    for (const auto* one :
         {"Origin: null", "Origin: http://192.168.127.1", "Sec-Fetch-Site: same-origin", "sec-fetch-mode: navigate"}) {
      auto headers = host;
      headers.emplace_back(one);
      EXPECT_EQ(expose(from, "0.0.0.0:9999", ":80", headers), 403) << one;
    }
    EXPECT_EQ(all(from, api, "rebind.example"), 403) << "a name of another site that resolves to the gateway";
    EXPECT_EQ(all(from, api, "192.168.127.1.nip.io:80"), 403);
  }
  EXPECT_EQ(held(), "[]\n");
}

TEST_F(host_switch_access, a_request_names_the_api_once) {
  start_and_wait({"-api-host=switch.example"});
  EXPECT_EQ(expose(*vm_, "0.0.0.0:9999", ":80", {}), 400);
  EXPECT_EQ(expose(*vm_, "0.0.0.0:9999", ":80", {"Host: 192.168.127.1", "Host: 192.168.127.1"}), 400);
  EXPECT_EQ(http_status(*vm_, api, "GET /services/forwarder/all HTTP/1.0\r\n\r\n"), 400);
  // A URL as the target names the API, and not Host (RFC 9112 3.2.2).
  const auto by_url = [](std::string_view url_host, std::string_view host) {
    return fmt::format("GET http://{}/services/forwarder/all HTTP/1.1\r\nHost: {}\r\n\r\n", url_host, host);
  };
  EXPECT_EQ(http_status(*vm_, api, by_url("192.168.127.1", "rebind.example")), 200);
  EXPECT_EQ(http_status(*vm_, api, by_url("rebind.example", "192.168.127.1")), 403);
  EXPECT_EQ(held(), "[]\n");
  EXPECT_EQ(all(*vm_, api, "switch.example"), 200);
}

TEST_F(host_switch_access, a_remote_is_the_vms) {
  const support::neighbour lan(*host_, "lan", 1);
  const auto secret = open_socket(*host_, protocol::tcp, at("127.0.0.1:5432"), true);
  start_and_wait();
  for (const auto* remote : {"127.0.0.1:5432", "192.168.127.1:80", "10.99.1.1:22", "10.99.1.2:80", "192.168.127.255:80",
                             "169.254.169.254:80"})
    EXPECT_EQ(expose(*vm_, "0.0.0.0:9999", remote), 500) << remote;
  EXPECT_EQ(held(), "[]\n");
  EXPECT_EQ(expose(*vm_, "0.0.0.0:9999", "192.168.127.3:80"), 200) << "another machine of the VM's network";
}

TEST_F(host_switch_access, the_api_follows_its_interface) {
  start_and_wait();
  host_->ip({"link", "del", "rd"});
  connect_vm();
  EXPECT_TRUE(eventually(10s, [this] { return all(*vm_) == 200; })) << log();
  EXPECT_NE(all(*host_), 200);
}

TEST_F(host_switch_access, the_vms_network_may_come_later) {
  host_->ip({"link", "del", "rd"});
  start();
  ASSERT_TRUE(eventually(10s, [this] { return log().contains("listening api="); }));
  connect_vm();
  EXPECT_TRUE(eventually(10s, [this] { return all(*vm_) == 200; })) << log();
  EXPECT_TRUE(eventually(10s, [this] { return log().contains("interface=rd"); })) << log();
  EXPECT_NE(all(*host_), 200);
}

TEST_F(host_switch_access, a_web_server_on_port_80_only_delays_the_api) {
  auto web = open_socket(*host_, protocol::tcp, at("0.0.0.0:80"), true);
  auto busy = open_socket(*host_, protocol::tcp, at("127.0.0.1:2222"), true);
  start({"-port-forward=127.0.0.1:2222=192.168.127.2:22", "-port-forward=127.0.0.1:2323=192.168.127.2:23"});
  const auto ssh = open_socket(*vm_, protocol::tcp, at("192.168.127.2:22"), true);
  EXPECT_TRUE(eventually(10s, [this] { return log().contains("cannot listen api=192.168.127.1:80, retrying"); }))
      << log();
  EXPECT_TRUE(eventually(10s, [this] { return log().contains("cannot forward local=127.0.0.1:2222, retrying"); }))
      << log();
  EXPECT_TRUE(eventually(10s, [this] {
    return open_socket(*host_, protocol::tcp, at("127.0.0.1:2323"), false).get() >= 0;
  })) << "what can be served is served";
  EXPECT_TRUE(host_switch_.running());
  web.reset();
  busy.reset();
  EXPECT_TRUE(eventually(10s, [this] { return all(*vm_) == 200; })) << log();
  EXPECT_TRUE(eventually(10s, [this] { return held().contains("127.0.0.1:2222"); })) << log();
  EXPECT_THAT(log(), HasSubstr("cannot listen api=192.168.127.1:80 ended"));
}

TEST_F(host_switch_access, two_thousand_ports_of_one_process_starve_no_other_client) {
  start_and_wait({}, 1024);
  const auto served = open_socket(*vm_, protocol::tcp, at("192.168.127.2:80"), true);
  ASSERT_EQ(expose(*vm_, "127.0.0.1:8080", ":80"), 200);
  int granted = 0;
  for (int port = 20'000; port < 22'100; ++port)
    granted += expose(*vm_, fmt::format("0.0.0.0:{}", port), ":80") == 200 ? 1 : 0;
  EXPECT_GT(granted, 1024 / 8);
  EXPECT_LT(granted, 1024 * 5 / 8) << "the rest is for connections, clients and the API";
  EXPECT_TRUE(open_socket(*host_, protocol::tcp, at("127.0.0.1:8080"), false));
  EXPECT_EQ(all(*vm_), 200);
  EXPECT_THAT(log(), HasSubstr("too many forwards"));
}

TEST_F(host_switch_access, silent_connections_lock_no_client_out) {
  start_and_wait();
  const auto agent = open_socket(*vm_, protocol::tcp, api, false);
  const std::string request = "GET /services/forwarder/all HTTP/1.1\r\nHost: 192.168.127.1\r\n\r\n";
  const auto asks = [&] {
    return ::send(agent.get(), request.data(), request.size(), MSG_NOSIGNAL) == std::ssize(request) &&
           support::receive_once(agent.get()).value_or("").contains(" 200 ");
  };
  ASSERT_TRUE(asks());
  std::vector<base::unique_fd> silent;
  for (int i = 0; i < 800; ++i) silent.push_back(open_socket({*vm_, unprivileged}, protocol::tcp, api, false));
  EXPECT_EQ(all(*vm_), 200) << "a newcomer is served";
  EXPECT_TRUE(asks()) << "the connection that stands is not the newcomers' victim";
  EXPECT_EQ(all(*vm_), 200);
}

TEST_F(host_switch_access, a_client_cannot_fill_the_log) {
  start_and_wait();
  for (int i = 0; i < 300; ++i) {
    expose(*vm_, fmt::format("10.0.0.1:{}", 1000 + i), ":80");
    all(*vm_, api, "rebind.example");
  }
  const auto text = log();
  EXPECT_LT(std::ranges::count(text, '\n'), 20) << text;
}

}  // namespace
}  // namespace integration
