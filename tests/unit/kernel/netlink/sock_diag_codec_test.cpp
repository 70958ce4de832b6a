#include "kernel/netlink/sock_diag_codec.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include <algorithm>

#include "kernel/netlink/attributes.hpp"
#include "tests/unit/kernel/raw_bytes.hpp"

namespace netlink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace raw_bytes;
using net::protocol;

constexpr std::uint8_t close_state = 7, listen_state = 10;

bytes message(int type, const bytes& body) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.nlmsg_type = static_cast<std::uint16_t>(type);
  return raw(header) + body;
}

struct socket_spec {
  const char* ip;
  std::uint16_t port;
  std::uint8_t state = listen_state;
  std::uint32_t device = 0;
  std::uint16_t peer_port = 0;
  const char* peer = "0.0.0.0";
};
bytes socket(const socket_spec& s, std::optional<bool> ipv6_only = std::nullopt) {
  inet_diag_msg body{};
  const auto ip = net::address::parse(s.ip).value();
  body.idiag_family = ip.is_v4() ? AF_INET : AF_INET6;
  body.idiag_state = s.state;
  body.id.idiag_sport = htons(s.port);
  body.id.idiag_dport = htons(s.peer_port);
  std::memcpy(body.id.idiag_src, ip.data(), ip.is_v4() ? 4 : 16);
  const auto peer = net::address::parse(s.peer).value();
  std::memcpy(body.id.idiag_dst, peer.data(), peer.is_v4() ? 4 : 16);
  body.id.idiag_if = s.device;
  body.idiag_inode = 4711;
  auto whole = raw(body);
  if (ipv6_only) {
    const nlattr header{sizeof(nlattr) + 1, INET_DIAG_SKV6ONLY};
    whole = whole + raw(header) + raw(std::array<std::uint8_t, 4>{*ipv6_only, 0, 0, 0});
  }
  return message(SOCK_DIAG_BY_FAMILY, whole);
}

TEST(sock_diag_codec, finds_listeners_of_both_families) {
  const auto found = parse_listener_dump(
      socket({"127.0.0.1", 80}) + socket({"::", 443}, false) + socket({"::", 444, listen_state, 3}, true),
      protocol::tcp);
  EXPECT_THAT(found, ElementsAre(diag_socket{protocol::tcp, *net::parse_endpoint("127.0.0.1:80"), false, 0, 4711},
                                 diag_socket{protocol::tcp, *net::parse_endpoint("[::]:443"), false, 0, 4711},
                                 diag_socket{protocol::tcp, *net::parse_endpoint("[::]:444"), true, 3, 4711}));
}

TEST(sock_diag_codec, skips_sockets_that_are_not_servers) {
  EXPECT_THAT(parse_listener_dump(socket({"0.0.0.0", 80, 1}), protocol::tcp), IsEmpty());
  EXPECT_THAT(parse_listener_dump(socket({"0.0.0.0", 0}), protocol::tcp), IsEmpty());
  EXPECT_THAT(parse_listener_dump(socket({"0.0.0.0", 53, listen_state}), protocol::udp), IsEmpty());
  EXPECT_THAT(parse_listener_dump(socket({"0.0.0.0", 53, close_state}), protocol::udp), SizeIs(1));
  EXPECT_THAT(parse_listener_dump(socket({"0.0.0.0", 53, close_state, 0, 1}), protocol::udp), IsEmpty());
}

TEST(sock_diag_codec, an_ipv4_address_in_ipv6_is_ipv4) {
  const auto found = parse_listener_dump(socket({"::1", 80}, true) + socket({"127.0.0.1", 80}), protocol::tcp);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_TRUE(found[0].ipv6_only);
  EXPECT_FALSE(found[1].ipv6_only);
}

TEST(sock_diag_codec, asks_for_the_state_that_matters) {
  for (const auto p : {protocol::tcp, protocol::udp}) {
    const auto request = listener_dump_request(p, AF_INET6);
    for_each_message(request, [&](const nlmsghdr& header, bytes_view body) {
      EXPECT_EQ(header.nlmsg_type, SOCK_DIAG_BY_FAMILY);
      EXPECT_EQ(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
      const auto what = read<inet_diag_req_v2>(body).value();
      EXPECT_EQ(what.sdiag_family, AF_INET6);
      EXPECT_EQ(what.sdiag_protocol, p == protocol::tcp ? IPPROTO_TCP : IPPROTO_UDP);
      EXPECT_EQ(what.idiag_states, 1U << (p == protocol::tcp ? listen_state : close_state));
    });
  }
}

TEST(sock_diag_codec, a_connection_leads_into_loopback_if_its_other_end_is_elsewhere) {
  constexpr std::uint8_t established = 1;
  const auto inside = socket({"127.0.0.1", 80, established, 0, 4000, "127.0.0.1"}),
             outside = socket({"192.0.2.2", 80, established, 0, 4000, "192.0.2.1"}),
             across = socket({"127.0.0.1", 80, established, 0, 4000, "192.0.2.1"});
  const auto listener = socket({"127.0.0.1", 80});
  EXPECT_FALSE(leads_into_loopback(inside + outside + listener));
  EXPECT_TRUE(leads_into_loopback(inside + across + outside));
  const auto cut = std::span(across).first(across.size() - 1);
  EXPECT_FALSE(leads_into_loopback(cut));
  EXPECT_FALSE(leads_into_loopback(message(NLMSG_DONE, raw(std::int32_t{0}))));
}

TEST(sock_diag_codec, asks_for_connections_that_still_need_their_packets) {
  for_each_message(connection_dump_request(AF_INET), [](const nlmsghdr&, bytes_view body) {
    const auto what = read<inet_diag_req_v2>(body).value();
    EXPECT_EQ(what.sdiag_protocol, IPPROTO_TCP);
    for (const int state : {1, 2, 3, 4, 5, 8, 9, 11, 12}) EXPECT_TRUE(what.idiag_states & 1U << state) << state;
    for (const int state : {6, 7, 10}) EXPECT_FALSE(what.idiag_states & 1U << state) << state;
  });
}

TEST(sock_diag_codec, is_total) {
  const auto whole = socket({"::", 443}, true) + message(NLMSG_DONE, raw(std::int32_t{0}));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_LE(parse_listener_dump(std::span(whole).first(cut), protocol::tcp).size(), 1U);
    for (const int flip : {0x00, 0x01, 0x7f, 0xff}) {
      auto broken = whole;
      broken[cut] = static_cast<std::byte>(flip);
      EXPECT_LE(parse_listener_dump(broken, protocol::tcp).size(), 1U);
    }
  }
}

}  // namespace
}  // namespace netlink
