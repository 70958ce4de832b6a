// The kernel here may have no virtual sockets that reach itself. What needs a connection is skipped then.
#include "relay/privileged_port.hpp"

#include <gmock/gmock.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <poll.h>

#include <set>

#include "tests/support/netns.hpp"
#include "tests/support/socket_peer.hpp"

namespace relay {
namespace {

base::unique_fd virtual_socket() {
  return base::unique_fd(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}
unsigned own_port(const base::unique_fd& fd) {
  sockaddr_vm own{};
  socklen_t size = sizeof own;
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  return own.svm_port;
}

class privileged_port : public testing::Test {
 protected:
  void SetUp() override {
    if (!virtual_socket()) GTEST_SKIP() << "no virtual sockets here";
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_F(privileged_port, root_gets_one_below_1024) {
  const auto fd = virtual_socket();
  bind_privileged_port(fd.get());
  EXPECT_GE(own_port(fd), 512U);
  EXPECT_LT(own_port(fd), 1'024U);
}

TEST_F(privileged_port, sockets_have_different_ones_and_a_closed_one_is_not_next) {
  std::set<unsigned> seen;
  std::vector<base::unique_fd> open;
  for (int i = 0; i < 8; ++i) {
    open.push_back(virtual_socket());
    bind_privileged_port(open.back().get());
    EXPECT_TRUE(seen.insert(own_port(open.back())).second) << "twice: " << own_port(open.back());
    if (i % 2 == 1) open.clear();
  }
}

TEST_F(privileged_port, one_that_is_taken_is_passed_over) {
  auto first = virtual_socket();
  bind_privileged_port(first.get());
  const auto turn = own_port(first);
  std::vector<base::unique_fd> blocking;
  for (unsigned i = 1; i <= 4; ++i) {
    sockaddr_vm at{};
    at.svm_family = AF_VSOCK;
    at.svm_cid = VMADDR_CID_ANY;
    at.svm_port = 512 + (turn - 512 + i) % 512;
    blocking.push_back(virtual_socket());
    static_cast<void>(::bind(blocking.back().get(), reinterpret_cast<const sockaddr*>(&at), sizeof at));
  }
  const auto fd = virtual_socket();
  bind_privileged_port(fd.get());
  EXPECT_GE(own_port(fd), 512U);
  EXPECT_LT(own_port(fd), 1'024U);
}

TEST_F(privileged_port, another_user_gets_none_and_the_socket_stays_usable) {
  const support::netns place("privileged");
  const auto port = place.run(
      [] {
        const auto fd = virtual_socket();
        bind_privileged_port(fd.get());
        return own_port(fd);
      },
      support::unprivileged);
  EXPECT_EQ(port, VMADDR_PORT_ANY);
}

TEST_F(privileged_port, the_other_end_sees_it) {
  const auto listener = virtual_socket();
  sockaddr_vm at{};
  at.svm_family = AF_VSOCK;
  at.svm_cid = VMADDR_CID_ANY;
  at.svm_port = VMADDR_PORT_ANY;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  at.svm_cid = VMADDR_CID_LOCAL;
  at.svm_port = own_port(listener);
  for (const bool privileged : {true, false}) {
    const auto client = virtual_socket();
    if (privileged) bind_privileged_port(client.get());
    static_cast<void>(::connect(client.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at));
    pollfd arrived{listener.get(), POLLIN, 0};
    if (::poll(&arrived, 1, 100) != 1) GTEST_SKIP() << "no virtual sockets to this machine itself";
    const base::unique_fd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_EQ(is_from_privileged_port(server.get()), privileged);
  }
}

// A low port of another family proves nothing.
TEST(privileged_port_of_tcp, is_none) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const support::netns place("tcp-port");
  const auto [client, server] = place.run([] {
    const auto listener = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
    auto near = support::make_socket(SOCK_STREAM, net::address::loopback_v4());
    const auto low = net::to_sockaddr({net::address::loopback_v4(), 600});
    EXPECT_EQ(::bind(near.get(), low.get(), low.size), 0);
    const auto to = net::to_sockaddr(support::local_endpoint(listener.get()));
    EXPECT_EQ(::connect(near.get(), to.get(), to.size), 0);
    return std::pair(std::move(near), support::accept_one(listener.get()));
  });
  EXPECT_FALSE(is_from_privileged_port(server.get()));
  EXPECT_FALSE(is_from_privileged_port(-1));
}

}  // namespace
}  // namespace relay
