#include "kernel/netlink/socket_owner_codec.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <cstring>
#include <span>

#include "kernel/netlink/attributes.hpp"

namespace netlink {
namespace {

constexpr std::uint8_t established = 1, time_wait = 6, closed = 7, close_wait = 8;
constexpr std::uint32_t user = 1234;

struct connection {
  net::endpoint local, remote;
};
const connection v4{{net::address::v4(127, 0, 0, 1), 4001}, {net::address::v4(127, 0, 0, 2), 4002}};
const connection v6{{net::address::loopback_v6(), 4001}, {net::address::parse("2001:db8::1").value(), 4002}};

struct diag_answer {
  nlmsghdr header{.nlmsg_len = sizeof(diag_answer),
                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                  .nlmsg_flags = 0,
                  .nlmsg_seq = 0,
                  .nlmsg_pid = 0};
  inet_diag_msg socket{};

  explicit diag_answer(const connection& c, std::uint8_t state = established) {
    const auto size = c.local.ip.is_v4() ? 4U : 16U;
    socket.idiag_family = c.local.ip.is_v4() ? AF_INET : AF_INET6;
    socket.idiag_state = state;
    socket.id.idiag_sport = htons(c.local.port);
    socket.id.idiag_dport = htons(c.remote.port);
    std::memcpy(socket.id.idiag_src, c.local.ip.data(), size);
    std::memcpy(socket.id.idiag_dst, c.remote.ip.data(), size);
    socket.idiag_uid = user;
    socket.idiag_inode = 77;
  }
  [[nodiscard]] base::result<std::uint32_t> owner(const connection& c) const {
    return parse_connection_owner(std::as_bytes(std::span(this, 1)), c.local, c.remote);
  }
  [[nodiscard]] std::error_code error(const connection& c) const {
    const auto found = owner(c);
    return found ? std::error_code{} : found.error().code;
  }
};

TEST(socket_owner_codec, asks_for_one_tcp_connection_in_every_state) {
  for (const auto& c : {v4, v6}) {
    const auto request = connection_request(c.local, c.remote);
    int messages = 0;
    for_each_message(request, [&](const nlmsghdr& header, bytes_view body) {
      ++messages;
      EXPECT_EQ(header.nlmsg_type, SOCK_DIAG_BY_FAMILY);
      EXPECT_EQ(header.nlmsg_flags, NLM_F_REQUEST) << "one socket, not a list";
      const auto what = read<inet_diag_req_v2>(body).value();
      EXPECT_EQ(what.sdiag_family, c.local.ip.is_v4() ? AF_INET : AF_INET6);
      EXPECT_EQ(what.sdiag_protocol, IPPROTO_TCP);
      EXPECT_EQ(what.idiag_states, 0xffffffffU);
      EXPECT_EQ(what.id.idiag_sport, htons(4001));
      EXPECT_EQ(what.id.idiag_dport, htons(4002));
      const auto size = c.local.ip.is_v4() ? 4U : 16U;
      EXPECT_EQ(std::memcmp(what.id.idiag_src, c.local.ip.data(), size), 0);
      EXPECT_EQ(std::memcmp(what.id.idiag_dst, c.remote.ip.data(), size), 0);
      EXPECT_EQ(what.id.idiag_cookie[0], ~0U) << "any cookie";
      EXPECT_EQ(what.id.idiag_cookie[1], ~0U);
    });
    EXPECT_EQ(messages, 1);
  }
}

TEST(socket_owner_codec, reads_the_owner_of_the_connection) {
  for (const auto& c : {v4, v6}) {
    EXPECT_EQ(diag_answer(c).owner(c), user);
    EXPECT_EQ(diag_answer(c, close_wait).owner(c), user) << "its process still holds it";
  }
}

TEST(socket_owner_codec, refuses_an_answer_about_another_socket) {
  auto other_port = v4, other_peer = v6;
  ++other_port.local.port;
  other_peer.remote.ip = net::address::parse("2001:db8::2").value();
  EXPECT_EQ(diag_answer(other_port).error(v4), std::errc::no_such_file_or_directory);
  EXPECT_EQ(diag_answer(other_peer).error(v6), std::errc::no_such_file_or_directory);
  EXPECT_EQ(diag_answer({v4.remote, v4.local}).error(v4), std::errc::no_such_file_or_directory) << "the other end";
  auto of_another_family = diag_answer(v4);
  of_another_family.socket.idiag_family = AF_UNIX;
  EXPECT_EQ(of_another_family.error(v4), std::errc::no_such_file_or_directory);
}

// The kernel shows a socket without a process as root's, who may do everything.
TEST(socket_owner_codec, a_socket_without_a_process_has_no_owner) {
  for (const auto state : {time_wait, closed}) EXPECT_EQ(diag_answer(v4, state).error(v4), std::errc::no_such_process);
  auto orphan = diag_answer(v4);
  orphan.socket.idiag_inode = 0;
  orphan.socket.idiag_uid = 0;
  EXPECT_EQ(orphan.error(v4), std::errc::no_such_process);
}

TEST(socket_owner_codec, a_short_or_foreign_message_has_no_owner) {
  const diag_answer whole(v4);
  const auto bytes = std::as_bytes(std::span(&whole, 1));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_connection_owner(bytes.first(size), v4.local, v4.remote)) << size;
  auto short_body = whole;
  short_body.header.nlmsg_len = sizeof(nlmsghdr) + 8;
  EXPECT_EQ(short_body.error(v4), std::errc::protocol_error);
  auto foreign = whole;
  foreign.header.nlmsg_type = NLMSG_DONE;
  EXPECT_EQ(foreign.error(v4), std::errc::protocol_error);
}

}  // namespace
}  // namespace netlink
