// What the host's own network does is what the VM sees: errors of connect, the path's MTU, routers, a route that is
// lost under load.
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/process_state.hpp"
#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

constexpr std::chrono::milliseconds silence{1'500};

// The errno of a connect, 0 if it succeeds; nothing if there is none in time.
std::optional<int> outcome_of_connect(const support::netns& from, const net::endpoint& to) {
  return from.run([&]() -> std::optional<int> {
    const base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto address = net::to_sockaddr(to);
    if (::connect(fd.get(), address.get(), address.size) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    pollfd ready{fd.get(), POLLOUT, 0};
    if (::poll(&ready, 1, static_cast<int>(silence.count())) <= 0) return std::nullopt;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
  });
}

struct refusal {
  const char* name;
  std::vector<std::string> rule;  // of iptables on the host, for port 7001; empty: none
  const char* to = "10.99.1.2";

  friend std::ostream& operator<<(std::ostream& stream, const refusal& one) { return stream << one.name; }
};

class refused_by_the_host : public virtual_network_lab, public testing::WithParamInterface<refusal> {};
INSTANTIATE_TEST_SUITE_P(
    , refused_by_the_host,
    testing::Values(refusal{"port_unreachable", {"-j", "REJECT"}},
                    refusal{"reset", {"-j", "REJECT", "--reject-with", "tcp-reset"}},
                    refusal{"host_unreachable", {"-j", "REJECT", "--reject-with", "icmp-host-unreachable"}},
                    refusal{"net_unreachable", {"-j", "REJECT", "--reject-with", "icmp-net-unreachable"}},
                    refusal{"prohibited", {"-j", "REJECT", "--reject-with", "icmp-admin-prohibited"}},
                    refusal{"silence", {"-j", "DROP"}}, refusal{"no_route", {}, "10.77.0.1"},
                    refusal{"unreachable_route", {}, "10.78.0.1"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_P(refused_by_the_host, a_connect_has_the_errno_and_the_time_of_the_host_s_own) {
  start_and_wait();
  host_->ip({"route", "add", "unreachable", "10.78.0.0/24"});
  if (!GetParam().rule.empty()) {
    std::vector<std::string> words{"iptables", "-w", "-A", "OUTPUT", "-p", "tcp", "--dport", "7001"};
    words.insert(words.end(), GetParam().rule.begin(), GetParam().rule.end());
    const auto done = support::run_command({.argv = words, .net_namespace = host_->path()});
    if (done.exit_code != 0) GTEST_SKIP() << "needs iptables: " << done.text;
  }
  const net::endpoint to{*net::address::parse(GetParam().to), 7001};
  const auto on_host = outcome_of_connect(*host_, to), in_vm = outcome_of_connect(*vm_, to);
  EXPECT_EQ(in_vm, on_host) << std::strerror(in_vm.value_or(0)) << ", " << std::strerror(on_host.value_or(0));
  EXPECT_NE(on_host, 0);
}

void set(const support::netns& where, const std::string& name, const std::string& value) {
  where.run([&] { std::ofstream("/proc/sys/net/ipv4/" + name) << value; });
}

// host ── 10.99.1.2 first router 10.99.3.1 ── 10.99.3.2 second router 10.99.4.1 ── 10.99.4.2 far
class behind_routers : public virtual_network_lab {
 protected:
  static constexpr net::address far_address = net::address::v4(10, 99, 4, 2);

  void SetUp() override {
    virtual_network_lab::SetUp();
    if (IsSkipped()) return;
    second_.emplace("router");
    far_.emplace("far");
    support::connect({&*lan_, "next", "10.99.3.1/24"}, {&*second_, "eth0", "10.99.3.2/24"});
    support::connect({&*second_, "next", "10.99.4.1/24"}, {&*far_, "eth0", "10.99.4.2/24"});
    for (const auto* router : {&*lan_, &*second_}) set(*router, "ip_forward", "1");
    host_->ip({"route", "add", "default", "via", "10.99.1.2"});
    lan_->ip({"route", "add", "10.99.4.0/24", "via", "10.99.3.2"});
    second_->ip({"route", "add", "default", "via", "10.99.3.1"});
    far_->ip({"route", "add", "default", "via", "10.99.4.1"});
    set(*host_, "ping_group_range", "0 2147483647");
  }
  void limit_path(const std::string& mtu) {
    second_->ip({"link", "set", "next", "mtu", mtu});
    far_->ip({"link", "set", "eth0", "mtu", mtu});
  }
  void expect_route(const std::string& output) {
    std::size_t at = 0;
    for (const auto* hop : {" 192.168.127.1 ", " 10.99.1.2 ", " 10.99.3.2 ", " 10.99.4.2 "}) {
      at = output.find(hop, at);
      ASSERT_NE(at, std::string::npos) << hop << "\n" << output;
    }
  }

  std::optional<support::netns> second_, far_;
};

TEST_F(behind_routers, traceroute_shows_each) {
  start_and_wait();
  expect_route(in_vm({"busybox", "traceroute", "-n", "-q1", "-w2", "-m6", "10.99.4.2"}).text);
  expect_route(in_vm({"busybox", "traceroute", "-I", "-n", "-q1", "-w2", "-m6", "10.99.4.2"}).text);
}

TEST_F(behind_routers, the_vm_learns_the_mtu_of_the_path) {
  start_and_wait();
  limit_path("1300");
  const auto fd = support::open_socket(*vm_, protocol::udp, {far_address, 5300}, false);
  ASSERT_TRUE(fd);
  const int strict = IP_PMTUDISC_DO;
  ::setsockopt(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, &strict, sizeof strict);
  const std::string large(1'400, 'x');
  EXPECT_TRUE(eventually(
      5s, [&] { return ::send(fd.get(), large.data(), large.size(), MSG_NOSIGNAL) < 0 && errno == EMSGSIZE; }));
  int mtu = 0;
  socklen_t size = sizeof mtu;
  ::getsockopt(fd.get(), IPPROTO_IP, IP_MTU, &mtu, &size);
  EXPECT_EQ(mtu, 1'300);
}

TEST_F(behind_routers, a_datagram_without_df_and_tcp_pass_a_narrow_path) {
  start_and_wait();
  limit_path("1300");
  const auto server = serve(*far_, {"udp:5300"}, "far");
  const auto fd = support::open_socket(*vm_, protocol::udp, {far_address, 5300}, false);
  const int never = IP_PMTUDISC_DONT;
  ::setsockopt(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof never);
  const std::string large(1'400, 'x');
  EXPECT_TRUE(eventually(5s, [&] {
    ::send(fd.get(), large.data(), large.size(), MSG_NOSIGNAL);
    return support::receive_once(fd.get(), 500ms) == "far " + large;
  }));
  const auto listener = support::open_socket(*far_, protocol::tcp, {far_address, 7000}, true);
  const auto both = connect_by(listener.get(), *vm_, {far_address, 7000});
  ASSERT_TRUE(both);
  expect_bytes_both_ways(both, 100 * megabyte);
}

// New connections and datagrams all the time, at a moderate rate.
class load {
 public:
  load(const support::netns& from, const net::address& to)
      : thread_([this, &from, to](const std::stop_token& stopped) { run(stopped, from, to); }) {}
  [[nodiscard]] int unreachable() const { return unreachable_; }

 private:
  void run(const std::stop_token& stopped, const support::netns& from, const net::address& to) {
    const auto datagrams = support::open_socket(from, protocol::udp, {to, 9}, false);
    while (!stopped.stop_requested()) {
      for (int i = 0; i < 10; ++i) ::send(datagrams.get(), "x", 1, MSG_NOSIGNAL);
      if (outcome_of_connect(from, {to, 7000}) == ENETUNREACH) ++unreachable_;
      ::poll(nullptr, 0, 20);
    }
  }
  std::atomic<int> unreachable_ = 0;
  std::jthread thread_;
};

TEST_F(behind_routers, a_lost_route_is_an_error_of_each_flow_and_no_more) {
  start_and_wait();
  const auto far = serve(*far_, {"tcp:7000"}, "far"), inside = serve(*vm_, {"tcp:8080"}, "vm");
  ASSERT_EQ(expose("10.99.1.1:8080", "192.168.127.2:8080"), 200);
  const auto answers = [&] { return support::ask(*vm_, protocol::tcp, {far_address, 7000}, "\n").has_value(); };
  ASSERT_TRUE(eventually(5s, answers));
  const load all(*vm_, far_address);
  host_->ip({"route", "del", "default"});
  EXPECT_TRUE(eventually(5s, [&] { return all.unreachable() > 10; }));
  const auto cpu = cpu_time(host_switch_.pid());
  EXPECT_FALSE(eventually(3s, [] { return false; }));
  EXPECT_LT(cpu_time(host_switch_.pid()) - cpu, 500ms);
  EXPECT_TRUE(support::ask(*lan_, protocol::tcp, {host_address, exposed_port}, "\n"));
  host_->ip({"route", "add", "default", "via", "10.99.1.2"});
  const auto back = std::chrono::steady_clock::now();
  EXPECT_TRUE(answers());
  EXPECT_LT(std::chrono::steady_clock::now() - back, 900ms);
}

}  // namespace
}  // namespace integration
