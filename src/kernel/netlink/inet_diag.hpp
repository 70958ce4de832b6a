// inet_diag: what the requests and answers about TCP and UDP sockets (NETLINK_SOCK_DIAG) have in common. Pure.
#pragma once

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/endpoint.hpp"

namespace netlink {

// The kernel's numbers for both protocols' states: include/net/tcp_states.h.
inline constexpr std::uint8_t state_time_wait = 6;
inline constexpr std::uint8_t state_close = 7;  // of UDP: not connected
inline constexpr std::uint8_t state_listen = 10;

struct inet_diag_request {
  nlmsghdr header{};
  inet_diag_req_v2 body{};
};

// `flags`: NLM_F_DUMP for a list, 0 for one socket. `protocol`: IPPROTO_TCP or IPPROTO_UDP.
inline inet_diag_request begin_request(int family, int protocol, int flags) {
  inet_diag_request request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  request.body.sdiag_family = static_cast<std::uint8_t>(family);
  request.body.sdiag_protocol = static_cast<std::uint8_t>(protocol);
  return request;
}

inline std::vector<std::byte> bytes_of(const inet_diag_request& request) {
  const auto bytes = std::as_bytes(std::span(&request, 1));
  return {bytes.begin(), bytes.end()};
}

// One end of a socket. Nothing: its family is neither IPv4 nor IPv6.
inline std::optional<net::endpoint> endpoint_of(int family, const void* ip, std::uint16_t port) {
  if (family == AF_INET) return net::endpoint{net::address::v4(ip), ntohs(port)};
  if (family == AF_INET6) return net::endpoint{net::address::v6(ip), ntohs(port)};
  return std::nullopt;
}

}  // namespace netlink
