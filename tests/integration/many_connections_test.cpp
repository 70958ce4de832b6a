// Ten thousand short connections each way, and connections that nothing happens on: host-switch keeps nothing of the
// first, and sleeps over the second.
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/integration/process_state.hpp"
#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using support::eventually;

constexpr std::string_view answer = "hello\n";

// Answers one byte with a line and closes, until it ends itself.
class short_server {
 public:
  short_server(const support::netns& where, const net::endpoint& at)
      : listener_(support::open_socket(where, net::protocol::tcp, at, true)), thread_([this] { run(); }) {}
  ~short_server() {
    stopping_ = true;
    thread_.join();
  }
  short_server(const short_server&) = delete;
  short_server& operator=(const short_server&) = delete;

 private:
  void run() {
    while (!stopping_) {
      const auto client = accept_from(listener_.get(), 1s);
      char byte = 0;
      if (client && ::recv(client.get(), &byte, 1, 0) == 1)
        ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  base::unique_fd listener_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

bool is_answered(const net::socket_address& to) {
  const base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  set_blocking(fd.get());
  std::array<char, 16> got{};
  if (::connect(fd.get(), to.get(), to.size) != 0 || ::send(fd.get(), "?", 1, MSG_NOSIGNAL) != 1) return false;
  const auto size = ::recv(fd.get(), got.data(), got.size(), MSG_WAITALL);
  return size == std::ssize(answer) && std::string_view(got.data(), answer.size()) == answer;
}

// How many of them had no answer.
int connect_often(const support::netns& from, const net::endpoint& to, int times) {
  constexpr int clients = 8;
  std::atomic<int> failed = 0;
  std::vector<std::jthread> all;
  all.reserve(clients);
  for (int i = 0; i < clients; ++i)
    all.emplace_back([&] {
      from.run([&] {
        const auto address = net::to_sockaddr(to);
        for (int n = 0; n < times / clients; ++n) failed += is_answered(address) ? 0 : 1;
      });
    });
  all.clear();
  return failed;
}

class many_connections : public virtual_network_lab {
 protected:
  void expect_no_flow_left() {
    EXPECT_TRUE(eventually(10s, [this] { return metric("host_connections") == 0 && metric("flows") == 0; }))
        << metric("host_connections") << " sockets, " << metric("flows") << " flows";
  }
  // The first ones fill tables and pools.
  void expect_nothing_kept(const support::netns& from, const net::endpoint& to) {
    constexpr std::size_t tolerated = 4 * megabyte;
    EXPECT_EQ(connect_often(from, to, 5'000), 0);
    expect_no_flow_left();
    const auto descriptors = open_descriptors(host_switch_.pid());
    const auto memory = resident_bytes(host_switch_.pid());
    EXPECT_EQ(connect_often(from, to, 10'000), 0);
    expect_no_flow_left();
    EXPECT_TRUE(eventually(5s, [&] { return open_descriptors(host_switch_.pid()) <= descriptors; }));
    if (!is_sanitized(host_switch_.pid())) EXPECT_LT(resident_bytes(host_switch_.pid()), memory + tolerated);
  }
};

TEST_F(many_connections, of_the_vm_leave_nothing) {
  start_and_wait();
  const short_server server(*lan_, lan_server);
  expect_nothing_kept(*vm_, lan_server);
}

TEST_F(many_connections, to_an_exposed_port_leave_nothing) {
  start_and_wait();
  const short_server server(*vm_, {net::address::any_v4(), exposed_port});
  ASSERT_EQ(expose("10.99.1.1:8080", "192.168.127.2:8080"), 200);
  expect_nothing_kept(*lan_, {host_address, exposed_port});
}

class silent_connections : public virtual_network_lab {
 protected:
  static constexpr std::size_t count = 100;
  // The VM itself says nothing: no IPv6 and no ARP.
  void start_in_silence() {
    vm_->run([] { std::ofstream("/proc/sys/net/ipv6/conf/all/disable_ipv6") << 1; });
    vm_->ip({"neighbour", "add", "192.168.127.1", "lladdr", "5a:94:ef:e4:0c:dd", "dev", "eth0"});
    start_and_wait();
  }
  std::vector<tcp_pair> connect_all() {
    const auto listener = support::open_socket(*lan_, net::protocol::tcp, lan_server, true);
    std::vector<tcp_pair> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(connect_by(listener.get(), *vm_, lan_server));
    return all;
  }
  std::uint64_t wakes_within(std::chrono::milliseconds time) {
    const auto before = voluntary_switches(host_switch_.pid());
    static_cast<void>(eventually(time, [] { return false; }));
    return voluntary_switches(host_switch_.pid()) - before;
  }
};

// Once the deadlines of the connections before have passed: not one in six seconds is fewer than ten a minute.
TEST_F(silent_connections, half_closed_and_reset_ones_wake_nothing) {
  start_in_silence();
  auto half_closed = connect_all();
  auto ended = connect_all();
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(half_closed[i] && ended[i]);
    ::shutdown(i % 2 == 0 ? half_closed[i].client.get() : half_closed[i].server.get(), SHUT_WR);
    reset(i % 2 == 0 ? ended[i].client : ended[i].server);
  }
  EXPECT_TRUE(eventually(30s, [this] { return wakes_within(6s) == 0; }));
}

// What waits for a reader is probed, less and less often.
TEST_F(silent_connections, shut_windows_cost_next_to_nothing) {
  start_in_silence();
  const auto all = connect_all();
  std::vector<int> senders;
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(all[i]);
    senders.push_back(i % 2 == 0 ? all[i].client.get() : all[i].server.get());
    ::fcntl(senders.back(), F_SETFL, O_NONBLOCK);
  }
  const auto fill = [&] {
    bool any = false;
    for (const int fd : senders) any = send_stream(fd, megabyte) || any;
    return any;
  };
  EXPECT_TRUE(eventually(20s, [&] { return !fill() && !eventually(200ms, fill); }));
  const auto cpu = cpu_time(host_switch_.pid());
  const auto wakes = wakes_within(5s);
  EXPECT_LT(cpu_time(host_switch_.pid()) - cpu, 200ms);
  EXPECT_LT(wakes, 20U * count);
}

}  // namespace
}  // namespace integration
