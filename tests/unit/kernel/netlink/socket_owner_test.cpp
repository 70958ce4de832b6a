#include "kernel/netlink/socket_owner.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/wait.h>

#include <array>
#include <cstring>

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

struct diag_answer {
  nlmsghdr header{.nlmsg_len = sizeof(diag_answer),
                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                  .nlmsg_flags = 0,
                  .nlmsg_seq = 0,
                  .nlmsg_pid = 0};
  inet_diag_msg socket{};
};

TEST(socket_owner_codec, reads_the_owner_of_the_connection_that_was_asked_for) {
  const net::endpoint a{net::address::v4(127, 0, 0, 1), 4001}, b{net::address::v4(127, 0, 0, 2), 4002};
  diag_answer answer;
  answer.socket.idiag_family = AF_INET;
  answer.socket.idiag_state = 1;
  answer.socket.id.idiag_sport = htons(a.port), answer.socket.id.idiag_dport = htons(b.port);
  std::memcpy(answer.socket.id.idiag_src, a.ip.data(), 4), std::memcpy(answer.socket.id.idiag_dst, b.ip.data(), 4);
  answer.socket.idiag_uid = 1234, answer.socket.idiag_inode = 77;
  const auto bytes = std::as_bytes(std::span(&answer, 1));
  EXPECT_EQ(parse_connection_owner(bytes, a, b), 1234U);
  EXPECT_FALSE(parse_connection_owner(bytes, b, a));
  answer.socket.idiag_inode = 0;
  const auto closed = parse_connection_owner(bytes, a, b);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, std::errc::no_such_process);
}

TEST(socket_owner_codec, takes_no_answer_for_an_owner_that_is_none) {
  const net::endpoint a{net::address::loopback_v4(), 1}, b{net::address::loopback_v4(), 2};
  EXPECT_FALSE(parse_connection_owner({}, a, b));
  const auto request = connection_request(a, b);  // of the right type, and too short
  for (std::size_t size = 0; size <= request.size(); ++size)
    EXPECT_FALSE(parse_connection_owner(std::span(request).first(size), a, b)) << size;
}

}  // namespace
}  // namespace netlink
