#include "netlink/socket_owner.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "netlink/socket_owner_codec.hpp"
#include "tests/support/socket_peer.hpp"

namespace netlink {
namespace {

constexpr uid_t somebody = 65534;

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
    for (const uid_t user : {uid_t{0}, somebody}) {
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
  const auto accepted = connect_as(somebody, then::close);
  char byte = 0;
  ASSERT_EQ(::recv(accepted.get(), &byte, 1, 0), 0);
  EXPECT_FALSE(is_from_own_user(accepted.get()));
}

TEST_F(socket_owner, of_a_half_closed_socket_is_known) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto accepted = connect_as(somebody, then::shut);
  char byte = 0;
  ASSERT_EQ(::recv(accepted.get(), &byte, 1, 0), 0);
  EXPECT_EQ(owner_of_client(accepted.get()), somebody);
}

TEST_F(socket_owner, is_no_listener_s_that_has_the_client_s_port) {
  const auto client = support::make_socket(SOCK_STREAM, net::address::loopback_v4());
  const int one = 1;
  ::setsockopt(client.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  ::setsockopt(client.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  const auto any = net::to_sockaddr({net::address::loopback_v4(), 0});
  ASSERT_EQ(::bind(client.get(), any.get(), any.size), 0);
  const auto local = support::local_endpoint(client.get());
  const net::endpoint remote{net::address::loopback_v4(), 1};
  ASSERT_EQ(::listen(client.get(), 1), 0);
  const auto unanswered = connection_request(local, remote);
  EXPECT_FALSE(unanswered.empty());
  EXPECT_FALSE(is_from_own_user(client.get())) << "it is connected to nobody";
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
