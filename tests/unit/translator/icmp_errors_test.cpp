#include "translator/icmp_errors.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

#include "relay/sockets.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"

namespace translator {
namespace {

constexpr netstack::ipv4::address localhost{0x7f00'0001};

// A socket as the data plane's: bound by the kernel, not connected, and with its errors asked for.
base::unique_fd asking_socket() {
  auto made = support::make_socket(SOCK_DGRAM, net::address::loopback_v4());
  EXPECT_TRUE(ask_for_errors(made.get()));
  return made;
}
ssize_t send_to(const base::unique_fd& fd, const net::endpoint& to, std::string_view payload) {
  const auto at = net::to_sockaddr(to);
  return ::sendto(fd.get(), payload.data(), payload.size(), 0, at.get(), at.size);
}
void wait_for_error(const base::unique_fd& fd) {
  pollfd ready{fd.get(), 0, 0};
  ASSERT_EQ(::poll(&ready, 1, 5'000), 1);
  ASSERT_NE(ready.revents & POLLERR, 0);
}
std::vector<socket_error> errors_of(const base::unique_fd& fd) {
  std::vector<socket_error> all;
  read_errors(fd.get(), [&](const socket_error& e) { all.push_back(e); });
  return all;
}

TEST(icmp_errors, a_closed_port_names_the_packet_and_who_has_refused_it) {
  const auto fd = asking_socket();
  const auto port = support::free_port(SOCK_DGRAM);
  ASSERT_GT(send_to(fd, {net::address::loopback_v4(), port}, "abcdefgh"), 0);
  wait_for_error(fd);
  const auto all = errors_of(fd);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].destination, (netstack::endpoint{localhost, port}));
  EXPECT_EQ(all[0].error, ECONNREFUSED);
  EXPECT_TRUE(all[0].is_icmp);
  EXPECT_EQ(all[0].type, 3);
  EXPECT_EQ(all[0].code, 3);
  EXPECT_EQ(all[0].router, localhost);
}

TEST(icmp_errors, reading_clears_the_sockets_pending_error) {
  const auto fd = asking_socket();
  const auto server = support::bound_socket(SOCK_DGRAM, {net::address::loopback_v4(), 0});
  ASSERT_GT(send_to(fd, {net::address::loopback_v4(), support::free_port(SOCK_DGRAM)}, "x"), 0);
  wait_for_error(fd);
  EXPECT_EQ(errors_of(fd).size(), 1U);
  EXPECT_EQ(relay::pending_error(fd.get()), 0);
  EXPECT_EQ(send_to(fd, support::local_endpoint(server.get()), "x"), 1) << "the next datagram is not refused";
  EXPECT_TRUE(errors_of(fd).empty());
}

TEST(icmp_errors, several_are_read_in_order) {
  const auto fd = asking_socket();
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < 20; ++i) {
    ports.push_back(support::free_port(SOCK_DGRAM));
    // The error of the one before may be what the call returns.
    if (send_to(fd, {net::address::loopback_v4(), ports.back()}, "x") < 0)
      ASSERT_EQ(send_to(fd, {net::address::loopback_v4(), ports.back()}, "x"), 1);
  }
  std::vector<std::uint16_t> named;
  ASSERT_TRUE(support::eventually([&] {
    for (const auto& e : errors_of(fd)) named.push_back(e.destination.port);
    return named.size() >= ports.size();
  }));
  EXPECT_EQ(named, ports);
}

TEST(icmp_errors, a_socket_without_errors_has_none) {
  const auto fd = asking_socket();
  EXPECT_TRUE(errors_of(fd).empty());
}

TEST(icmp_errors, no_socket_cannot_be_asked) { EXPECT_FALSE(ask_for_errors(-1)); }

TEST(icmp_errors, a_refusal_of_this_hosts_kernel_is_no_icmp_message_and_has_the_mtu) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns host("icmp-mtu");
  host.ip({"link", "set", "lo", "mtu", "1300"});
  host.run([] {
    const auto fd = asking_socket();
    const int whole = IP_PMTUDISC_DO;
    ASSERT_EQ(::setsockopt(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof whole), 0);
    EXPECT_LT(send_to(fd, {net::address::loopback_v4(), 9}, std::string(1'400, 'x')), 0);
    EXPECT_EQ(errno, EMSGSIZE);
    const auto all = errors_of(fd);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_FALSE(all[0].is_icmp);
    EXPECT_EQ(all[0].error, EMSGSIZE);
    EXPECT_EQ(all[0].mtu, 1'300);
    EXPECT_EQ(all[0].destination, (netstack::endpoint{localhost, 0})) << "of an unconnected socket without a port";
  });
}

}  // namespace
}  // namespace translator
