#include "kernel/netlink/socket_owner.hpp"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/wait.h>

#include "kernel/netlink/socket.hpp"
#include "kernel/netlink/socket_owner_codec.hpp"
#include "tests/support/socket_peer.hpp"

namespace netlink {
namespace {

constexpr uid_t unprivileged = 65534;

class socket_owner : public testing::Test {
 protected:
  // A connection of another user's, made by a process of its own, which then holds it, or ends its side, or closes it.
  enum class then : std::uint8_t { hold, shut, close };
  base::unique_fd connect_as(uid_t user, then what) {
    const auto to = net::to_sockaddr(support::local_endpoint(listener_.get()));
    child_ = ::fork();
    if (child_ == 0) {
      const int fd = ::socket(to.storage.ss_family, SOCK_STREAM, 0);
      if (user != 0 && ::setresuid(user, user, user) != 0) ::_exit(1);
      const int own = user == 0 ? fd : ::socket(to.storage.ss_family, SOCK_STREAM, 0);
      if (::connect(own, to.get(), to.size) != 0) ::_exit(2);
      if (what == then::shut) ::shutdown(own, SHUT_WR);
      if (what == then::close) ::close(own);
      ::pause();
    }
    return support::accept_one(listener_.get());
  }
  void TearDown() override {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  base::unique_fd listener_ = support::bound_socket(SOCK_STREAM, {net::address::loopback_v4(), 0});
  pid_t child_ = -1;
};

TEST_F(socket_owner, is_the_user_who_made_the_client_s_socket) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  for (const auto& ip : {net::address::loopback_v4(), net::address::loopback_v6()}) {
    listener_ = support::bound_socket(SOCK_STREAM, {ip, 0});
    for (const uid_t user : {uid_t{0}, unprivileged}) {
      const auto accepted = connect_as(user, then::hold);
      const auto owner = owner_of_client(accepted.get());
      ASSERT_TRUE(owner) << owner.error().message();
      EXPECT_EQ(*owner, user);
      EXPECT_EQ(is_from_own_user(accepted.get()), user == 0);
      TearDown();
    }
  }
}

// The kernel shows what no process holds any more as root's.
TEST_F(socket_owner, of_a_socket_that_was_closed_is_unknown) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto accepted = connect_as(unprivileged, then::close);
  char byte = 0;
  ASSERT_EQ(::recv(accepted.get(), &byte, 1, 0), 0);
  EXPECT_FALSE(is_from_own_user(accepted.get()));
  EXPECT_EQ(kind_of_client(accepted.get()), client_kind::closed);
}

TEST_F(socket_owner, of_a_half_closed_socket_is_known) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto accepted = connect_as(unprivileged, then::shut);
  char byte = 0;
  ASSERT_EQ(::recv(accepted.get(), &byte, 1, 0), 0);
  EXPECT_EQ(owner_of_client(accepted.get()), unprivileged);
}

// The kernel names the listener where there is no such connection.
TEST_F(socket_owner, is_no_listener_s_that_has_the_client_s_port) {
  const auto local = support::local_endpoint(listener_.get());
  const net::endpoint remote{net::address::loopback_v4(), 1};
  auto kernel = socket::open(NETLINK_SOCK_DIAG);
  ASSERT_TRUE(kernel);
  const auto answer = kernel->get({.request = connection_request(local, remote), .name = "socket owner"});
  ASSERT_TRUE(answer) << "a socket, and no error";
  const auto owner = parse_connection_owner(*answer, local, remote);
  ASSERT_FALSE(owner);
  EXPECT_EQ(owner.error().code, std::errc::no_such_file_or_directory);
}

}  // namespace
}  // namespace netlink
