#include "kernel/netlink/sock_diag_codec.hpp"

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernel/netlink/attributes.hpp"
#include "kernel/netlink/inet_diag.hpp"
#include "net/protocol.hpp"

namespace netlink {
namespace {

std::uint8_t waiting_state(net::protocol protocol) {
  return protocol == net::protocol::tcp ? state_listen : state_close;
}

std::optional<diag_socket> parse_socket(bytes_view body, net::protocol protocol) {
  const auto head = read<inet_diag_msg>(body);
  if (!head || head->idiag_state != waiting_state(protocol) || head->id.idiag_dport != 0) return std::nullopt;
  const auto at = endpoint_of(head->idiag_family, head->id.idiag_src, head->id.idiag_sport);
  if (!at || at->port == 0) return std::nullopt;
  diag_socket found{.protocol = protocol, .at = *at, .device = head->id.idiag_if, .inode = head->idiag_inode};
  for_each_attribute(behind(body, sizeof(inet_diag_msg)), [&found](int type, bytes_view value, bytes_view) {
    if (type == INET_DIAG_SKV6ONLY) found.ipv6_only = read<std::uint8_t>(value).value_or(0) != 0;
  });
  if (found.at.ip.is_v4()) found.ipv6_only = false;
  return found;
}

// A socket that is left over in these states sends and receives nothing of use.
constexpr std::uint32_t without_connection = 1U << state_time_wait | 1U << state_close | 1U << state_listen;

bool is_into_loopback(const inet_diag_msg& socket) {
  const auto at = endpoint_of(socket.idiag_family, socket.id.idiag_src, socket.id.idiag_sport);
  const auto peer = endpoint_of(socket.idiag_family, socket.id.idiag_dst, socket.id.idiag_dport);
  return at && peer && peer->port != 0 && at->ip.is_loopback() && !peer->ip.is_loopback();
}

}  // namespace

std::vector<std::byte> listener_dump_request(net::protocol protocol, int family) {
  auto request = begin_request(family, protocol == net::protocol::tcp ? IPPROTO_TCP : IPPROTO_UDP, NLM_F_DUMP);
  request.body.idiag_states = 1U << waiting_state(protocol);
  return bytes_of(request);
}

std::vector<diag_socket> parse_listener_dump(std::span<const std::byte> datagram, net::protocol protocol) {
  std::vector<diag_socket> found;
  for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return;
    if (auto one = parse_socket(body, protocol)) found.push_back(*one);
  });
  return found;
}

std::vector<std::byte> connection_dump_request(int family) {
  auto request = begin_request(family, IPPROTO_TCP, NLM_F_DUMP);
  request.body.idiag_states = ~without_connection;
  return bytes_of(request);
}

bool leads_into_loopback(std::span<const std::byte> datagram) {
  bool found = false;
  for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
    const auto socket = header.nlmsg_type == SOCK_DIAG_BY_FAMILY ? read<inet_diag_msg>(body) : std::nullopt;
    found = found || (socket && is_into_loopback(*socket));
  });
  return found;
}

}  // namespace netlink
