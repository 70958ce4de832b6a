// Against the real kernel, in a network namespace of the test's own, which has no other sockets.
#include "kernel/netlink/sock_diag.hpp"

#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>

#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/socket_peer.hpp"

namespace netlink {
namespace {

using net::protocol;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class sock_diag_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    place_.emplace("sockdiag");
    here_.emplace(*place_);
  }
  static base::unique_fd open(int type, const char* at) {
    return support::bound_socket(type, net::parse_endpoint(at).value());
  }
  static base::unique_fd dial(const char* from, const char* to) {
    return support::connected_socket(SOCK_STREAM, *net::parse_endpoint(to), net::address::parse(from));
  }
  static std::vector<std::string> listed() {
    std::vector<std::string> lines;
    for (const auto& s : list_listeners().value().sockets)
      lines.push_back(std::string(net::to_string(s.protocol)) + ' ' + net::to_string(s.at) +
                      (s.ipv6_only ? " only" : ""));
    return lines;
  }
  // The kernel writes a notice a moment after close(2).
  static bool is_noticed(const socket& watch) {
    return support::eventually([&] { return watch.discard_notices(); });
  }
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
};

TEST_F(sock_diag_test, lists_the_servers_of_both_protocols_and_families) {
  EXPECT_THAT(listed(), IsEmpty());
  const auto tcp4 = open(SOCK_STREAM, "127.0.0.1:80"), tcp6 = open(SOCK_STREAM, "[::]:81");
  const auto udp4 = open(SOCK_DGRAM, "0.0.0.0:53"), udp6 = open(SOCK_DGRAM, "[::1]:54");
  const auto connection = support::connected_socket(SOCK_STREAM, *net::parse_endpoint("127.0.0.1:80"));
  const auto client = support::connected_socket(SOCK_DGRAM, *net::parse_endpoint("127.0.0.1:53"));
  EXPECT_THAT(listed(), UnorderedElementsAre("tcp 127.0.0.1:80", "tcp [::]:81", "udp 0.0.0.0:53", "udp [::1]:54 only"));
  EXPECT_THAT(list_listeners()->unsupported, IsEmpty());
}

TEST_F(sock_diag_test, lists_every_socket_of_a_group_that_shares_a_port) {
  const auto open_shared = [] {
    auto fd = support::make_socket(SOCK_STREAM, net::address::loopback_v4());
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    const auto at = net::to_sockaddr({net::address::loopback_v4(), 80});
    EXPECT_EQ(::bind(fd.get(), at.get(), at.size), 0);
    EXPECT_EQ(::listen(fd.get(), 1), 0);
    return fd;
  };
  const auto one = open_shared(), two = open_shared();
  const auto found = list_listeners().value().sockets;
  ASSERT_EQ(found.size(), 2U);
  EXPECT_NE(found[0].inode, found[1].inode);
}

// Half a list must not pass for a list.
TEST_F(sock_diag_test, a_denied_question_is_an_error_and_not_an_empty_list) {
  const auto server = open(SOCK_STREAM, "127.0.0.1:80");
  for (const support::refused_call call :
       {support::refused_call{__NR_socket, 2, NETLINK_SOCK_DIAG, EACCES}, {__NR_sendto, 3, MSG_NOSIGNAL, EACCES}}) {
    std::error_code failed;
    const bool ran = support::run_without(call, [&] {
      const auto found = list_listeners();
      if (!found) failed = found.error().code;
    });
    if (!ran) GTEST_SKIP() << "the kernel takes no filter";
    EXPECT_EQ(failed, std::errc::permission_denied) << call.number;
  }
}

// Also to a socket of IPv6 that takes IPv4, as those of Java.
TEST_F(sock_diag_test, finds_connections_from_elsewhere_to_loopback) {
  place_->ip({"address", "add", "192.0.2.1/32", "dev", "lo"});
  const auto other = open(SOCK_STREAM, "192.0.2.1:81");
  for (const auto* at : {"127.0.0.1:80", "[::]:80"}) {
    auto server = open(SOCK_STREAM, at);
    const auto near = dial("127.0.0.2", "127.0.0.1:80"), outward = dial("192.0.2.1", "192.0.2.1:81");
    EXPECT_FALSE(has_connection_into_loopback().value()) << at;
    const auto across = dial("192.0.2.1", "127.0.0.1:80");
    EXPECT_TRUE(has_connection_into_loopback().value()) << at;
    server.reset();
    EXPECT_FALSE(has_connection_into_loopback().value()) << at;
  }
}

TEST_F(sock_diag_test, notices_that_a_server_closes) {
  for (const auto& [type, which] : {std::pair{SOCK_STREAM, protocol::tcp}, std::pair{SOCK_DGRAM, protocol::udp}})
    for (const auto* at : {"127.0.0.1:80", "[::1]:80"}) {
      const auto watch = watch_closed(which);
      ASSERT_TRUE(watch) << watch.error().message();
      auto server = open(type, at);
      EXPECT_FALSE(watch->discard_notices()) << at << " is open";
      server.reset();
      EXPECT_TRUE(is_noticed(*watch)) << at;
    }
}

// The last closing is the only one to be noticed.
TEST_F(sock_diag_test, skips_ignored_ports_and_connected_sockets_and_the_other_protocol) {
  const auto watch = watch_closed(protocol::udp, {40'000, 50'000});
  ASSERT_TRUE(watch) << watch.error().message();
  const auto server = open(SOCK_DGRAM, "127.0.0.1:53");
  for (const auto* at : {"127.0.0.1:40000", "127.0.0.1:45000", "[::1]:50000"}) open(SOCK_DGRAM, at).reset();
  support::connected_socket(SOCK_DGRAM, *net::parse_endpoint("127.0.0.1:53")).reset();
  open(SOCK_STREAM, "127.0.0.1:80").reset();
  for (const auto* at : {"127.0.0.1:39999", "[::1]:50001"}) {
    open(SOCK_DGRAM, at).reset();
    std::array<std::byte, 4096> bytes;
    std::vector<std::string> closed;
    ASSERT_TRUE(support::eventually([&] {
      while (const auto notice = watch->next_notice(bytes))
        for (const auto& s : parse_listener_dump(*notice, protocol::udp)) closed.push_back(net::to_string(s.at));
      return !closed.empty();
    }));
    EXPECT_THAT(closed, ElementsAre(at));
  }
}

TEST_F(sock_diag_test, a_denied_subscription_is_an_error) {
  std::error_code failed;
  const bool ran = support::run_without({__NR_socket, 2, NETLINK_SOCK_DIAG, EACCES}, [&] {
    const auto watch = watch_closed(protocol::tcp);
    if (!watch) failed = watch.error().code;
  });
  if (!ran) GTEST_SKIP() << "the kernel takes no filter";
  EXPECT_EQ(failed, std::errc::permission_denied);
}

}  // namespace
}  // namespace netlink
