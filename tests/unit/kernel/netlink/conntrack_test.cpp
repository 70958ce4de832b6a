// Against the real kernel, in a network namespace of the test's own, where a rule makes the kernel track connections.
#include "kernel/netlink/conntrack.hpp"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/refused_call.hpp"
#include "tests/support/socket_peer.hpp"

namespace netlink {
namespace {

const net::endpoint dns{net::address::loopback_v4(), 53}, ntp{net::address::loopback_v4(), 123};

class conntrack_test : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::access("/usr/sbin/nft", X_OK) != 0) GTEST_SKIP() << "nftables is not installed";
    place_.emplace("conntrack");
    here_.emplace(*place_);
    nft({"add", "table", "ip", "t"});
    nft({"add", "chain", "ip", "t", "out", "{ type filter hook output priority 0; }"});
    nft({"add", "rule", "ip", "t", "out", "ct", "state", "invalid", "drop"});
  }
  static void nft(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "nft");
    support::run_or_throw({.argv = std::move(arguments)});
  }
  // A flow of its own to a server that reads nothing.
  struct flow {
    explicit flow(const net::endpoint& to) : client(support::connected_socket(SOCK_DGRAM, to)) {
      support::send_all(client.get(), "x");
    }
    base::unique_fd client;
  };
  std::size_t forgotten(const std::set<net::endpoint>& destinations) const {
    const auto count = forget_udp_flows(destinations);
    EXPECT_TRUE(count) << count.error().message();
    return count.value_or(999);
  }
  std::optional<support::netns> place_;
  std::optional<support::inside> here_;
};

TEST_F(conntrack_test, forgets_the_flows_to_the_given_endpoints_alone) {
  const auto dns_server = support::bound_socket(SOCK_DGRAM, dns), ntp_server = support::bound_socket(SOCK_DGRAM, ntp);
  const flow one(dns), two(dns), other(ntp);
  EXPECT_EQ(forgotten({}), 0U);
  EXPECT_EQ(forgotten({{net::address::loopback_v4(), 54}, {net::address::v4(127, 0, 0, 2), 53}}), 0U);
  EXPECT_EQ(forgotten({dns}), 2U);
  EXPECT_EQ(forgotten({dns}), 0U) << "the kernel has deleted them";
  EXPECT_EQ(forgotten({dns, ntp}), 1U) << "the flow to another port stayed";
}

TEST_F(conntrack_test, the_next_datagram_makes_a_new_flow) {
  const auto server = support::bound_socket(SOCK_DGRAM, dns);
  const flow one(dns);
  EXPECT_EQ(forgotten({dns}), 1U);
  support::send_all(one.client.get(), "y");
  EXPECT_EQ(forgotten({dns}), 1U);
}

TEST_F(conntrack_test, leaves_tcp_connections_to_the_same_endpoint) {
  const auto listener = support::bound_socket(SOCK_STREAM, dns);
  const auto connection = support::connected_socket(SOCK_STREAM, dns);
  EXPECT_EQ(forgotten({dns}), 0U);
}

TEST_F(conntrack_test, a_list_that_the_kernel_denies_is_an_error) {
  const auto server = support::bound_socket(SOCK_DGRAM, dns);
  const flow one(dns);
  for (const support::refused_call call :
       {support::refused_call{__NR_socket, 2, NETLINK_NETFILTER, EACCES}, {__NR_sendto, 3, MSG_NOSIGNAL, EACCES}}) {
    std::error_code failed;
    const bool ran = support::run_without(call, [&] {
      const auto count = forget_udp_flows({dns});
      if (!count) failed = count.error().code;
    });
    if (!ran) GTEST_SKIP() << "the kernel takes no filter";
    EXPECT_EQ(failed, std::errc::permission_denied) << call.number;
  }
}

TEST_F(conntrack_test, an_unprivileged_user_forgets_nothing) {
  const auto server = support::bound_socket(SOCK_DGRAM, dns);
  const flow one(dns);
  const bool denied = place_->run([] { return !forget_udp_flows({dns}); }, support::unprivileged);
  EXPECT_TRUE(denied);
  EXPECT_EQ(forgotten({dns}), 1U);
}

}  // namespace
}  // namespace netlink
