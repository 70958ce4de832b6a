// Cases that users of such networks reported, with Linux's own stack as the VM: datagrams, bounds.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/integration/datagram_server.hpp"
#include "tests/integration/virtual_network_lab.hpp"
#include "tests/support/eventually.hpp"

namespace integration {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using support::eventually;

constexpr net::address lan_ip = net::address::v4(10, 99, 1, 2), host_ip = net::address::v4(10, 99, 1, 1);

std::string sized(std::size_t size) {
  std::string made(size, '\0');
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + i % 23);
  return made;
}

class virtual_network_cases : public virtual_network_lab {};

TEST_F(virtual_network_cases, datagrams_of_any_size_pass_unchanged) {
  start_and_wait();
  const datagram_server server(*lan_, {lan_ip, 5300}, echo);
  ASSERT_TRUE(server.is_open());
  auto client = support::open_socket(*vm_, protocol::udp, {lan_ip, 5300}, false);
  ASSERT_TRUE(client);
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 1472, 1473, 8192, 65507, 0, 1}) {
    const auto sent = sized(size);
    ASSERT_EQ(::send(client.get(), sent.data(), sent.size(), 0), static_cast<ssize_t>(size));
    EXPECT_EQ(support::receive_once(client.get(), 5s), sent) << size;
  }
}

TEST_F(virtual_network_cases, an_empty_datagram_and_the_largest_leave_an_exposed_port_alive) {
  start_and_wait();
  const datagram_server server(*vm_, {net::address::any_v4(), 5300}, echo);
  ASSERT_TRUE(server.is_open());
  ASSERT_EQ(expose("10.99.1.1:5300", "192.168.127.2:5300", "udp"), 200);
  auto client = support::open_socket(*lan_, protocol::udp, {host_ip, 5300}, false);
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 65507, 1}) {
    const auto sent = sized(size);
    ASSERT_EQ(::send(client.get(), sent.data(), sent.size(), 0), static_cast<ssize_t>(size));
    EXPECT_EQ(support::receive_once(client.get(), 5s), sent) << size;
  }
}

// TFTP and SIP answer so.
TEST_F(virtual_network_cases, an_answer_from_another_port_has_its_true_source) {
  start_and_wait();
  auto other = support::open_socket(*lan_, protocol::udp, {lan_ip, 5301}, true);
  const datagram_server server(
      *lan_, {lan_ip, 5300},
      [&](int, const std::string& datagram, const net::socket_address& from) { echo(other.get(), datagram, from); });
  auto client = support::open_socket(*vm_, protocol::udp, {net::address::any_v4(), 4000}, true);
  const auto to = net::to_sockaddr({lan_ip, 5300});
  ASSERT_EQ(::sendto(client.get(), "x", 1, 0, to.get(), to.size), 1);
  pollfd ready{client.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ready, 1, 5000), 1);
  net::socket_address from;
  char byte = 0;
  ASSERT_EQ(::recvfrom(client.get(), &byte, 1, 0, from.get(), &from.size), 1);
  EXPECT_EQ(net::from_sockaddr(from), (net::endpoint{lan_ip, 5301}));
}

TEST_F(virtual_network_cases, many_source_ports_are_bounded_and_tcp_goes_on) {
  start_and_wait();
  const auto server = serve(*lan_, {"tcp:7000"}, "lan");
  // In bursts that the tap's queue takes.
  const auto send_from_new_ports = [] {
    const auto to = net::to_sockaddr({lan_ip, 9});
    for (int i = 0; i < 500; ++i) {
      const base::unique_fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      ::sendto(fd.get(), "x", 1, 0, to.get(), to.size);
    }
  };
  EXPECT_TRUE(eventually(30s, [&] {
    vm_->run(send_from_new_ports);
    return metric("host_udp_flows_evicted") > 0;
  }));
  EXPECT_LE(metric("host_udp_flows"), 4'096U);
  EXPECT_TRUE(eventually(5s, [&] { return support::ask(*vm_, protocol::tcp, {lan_ip, 7000}, "\n").has_value(); }));
}

TEST_F(virtual_network_cases, multicasts_and_broadcasts_make_no_socket) {
  start_and_wait();
  vm_->run([] {
    const base::unique_fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
    for (const auto& ip : {net::address::v4(224, 0, 0, 251), net::address::v4(239, 255, 255, 250),
                           net::address::v4(192, 168, 127, 255), net::address::v4(255, 255, 255, 255)}) {
      const auto to = net::to_sockaddr({ip, 5353});
      ::sendto(fd.get(), "x", 1, 0, to.get(), to.size);
    }
  });
  EXPECT_TRUE(eventually(5s, [&] { return metric("multicast") >= 4; }));
  EXPECT_EQ(metric("host_udp_flows"), 0U);
}

TEST_F(virtual_network_cases, connects_that_nothing_answers_cost_others_nothing) {
  start_and_wait();
  host_->ip({"route", "add", "blackhole", "10.99.2.0/24"});
  const auto server = serve(*lan_, {"tcp:7000"}, "lan");
  ASSERT_TRUE(eventually(5s, [&] { return support::ask(*vm_, protocol::tcp, {lan_ip, 7000}, "\n").has_value(); }));
  std::vector<base::unique_fd> waiting;
  vm_->run([&] {
    for (int i = 0; i < 200; ++i) {
      waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const auto to = net::to_sockaddr({net::address::v4(10, 99, 1, static_cast<std::uint8_t>(10 + i)), 80});
      ::connect(waiting.back().get(), to.get(), to.size);
    }
  });
  ASSERT_TRUE(eventually(5s, [&] { return metric("half_open") >= 100; }));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(support::ask(*vm_, protocol::tcp, {lan_ip, 7000}, "\n"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 500ms);
}

TEST_F(virtual_network_cases, cloud_metadata_and_loopback_are_refused) {
  start_and_wait();
  EXPECT_TRUE(support::refused(*vm_, {net::address::v4(169, 254, 169, 254), 80}));
  EXPECT_GE(metric("forbidden"), 1U);
}

}  // namespace
}  // namespace integration
