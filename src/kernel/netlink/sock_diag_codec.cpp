#include "kernel/netlink/sock_diag_codec.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernel/netlink/attributes.hpp"
#include "net/protocol.hpp"

namespace netlink {
namespace {

// The kernel's numbers for both protocols' states: include/net/tcp_states.h.
constexpr std::uint8_t state_close = 7;  // of UDP: not connected
constexpr std::uint8_t state_listen = 10;

std::uint8_t waiting_state(net::protocol protocol) {
  return protocol == net::protocol::tcp ? state_listen : state_close;
}

std::optional<diag_socket> parse_socket(bytes_view body, net::protocol protocol) {
  const auto head = read<inet_diag_msg>(body);
  if (!head || head->idiag_state != waiting_state(protocol) || head->id.idiag_dport != 0) return std::nullopt;
  const bool v4 = head->idiag_family == AF_INET;
  if (!v4 && head->idiag_family != AF_INET6) return std::nullopt;
  diag_socket found{.protocol = protocol, .at = {}, .device = head->id.idiag_if, .inode = head->idiag_inode};
  found.at.ip = v4 ? net::address::v4(head->id.idiag_src) : net::address::v6(head->id.idiag_src);
  found.at.port = ntohs(head->id.idiag_sport);
  if (found.at.port == 0) return std::nullopt;
  for_each_attribute(behind(body, sizeof(inet_diag_msg)), [&found](int type, bytes_view value, bytes_view) {
    if (type == INET_DIAG_SKV6ONLY) found.ipv6_only = read<std::uint8_t>(value).value_or(0) != 0;
  });
  if (found.at.ip.is_v4()) found.ipv6_only = false;
  return found;
}

}  // namespace

std::vector<std::byte> listener_dump_request(net::protocol protocol, int family) {
  struct {
    nlmsghdr header{};
    inet_diag_req_v2 what{};
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.what.sdiag_family = static_cast<std::uint8_t>(family);
  request.what.sdiag_protocol = protocol == net::protocol::tcp ? IPPROTO_TCP : IPPROTO_UDP;
  request.what.idiag_states = 1U << waiting_state(protocol);
  const auto bytes = std::as_bytes(std::span(&request, 1));
  return {bytes.begin(), bytes.end()};
}

std::vector<diag_socket> parse_listener_dump(std::span<const std::byte> datagram, net::protocol protocol) {
  std::vector<diag_socket> found;
  for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return;
    if (auto one = parse_socket(body, protocol)) found.push_back(*one);
  });
  return found;
}

}  // namespace netlink
