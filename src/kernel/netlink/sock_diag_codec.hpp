// sock_diag_codec: the messages of NETLINK_SOCK_DIAG by which the kernel lists server sockets: TCP in LISTEN, and UDP
// that is bound and not connected. The kernel leaves out all others, so ten thousand connections cost nothing. A
// question of its own lists the connections. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "net/endpoint.hpp"
#include "net/protocol.hpp"

namespace netlink {

struct diag_socket {
  net::protocol protocol = net::protocol::tcp;
  net::endpoint at;
  bool ipv6_only = false;    // of an IPv6 socket: it receives no IPv4
  std::uint32_t device = 0;  // the interface it is bound to; 0: none
  std::uint32_t inode = 0;   // as in /proc/<pid>/fd

  auto operator<=>(const diag_socket&) const = default;
};

// `family`: AF_INET or AF_INET6. Dual-stack sockets are IPv6 ones.
[[nodiscard]] std::vector<std::byte> listener_dump_request(net::protocol protocol, int family);

// One datagram of the answer to a request for `protocol`, which the kernel does not repeat. Sockets in other states,
// connected ones, and truncated or malformed messages are skipped.
[[nodiscard]] std::vector<diag_socket> parse_listener_dump(std::span<const std::byte> datagram, net::protocol protocol);

// TCP connections that still need their packets, from the first one on. `family` as above.
[[nodiscard]] std::vector<std::byte> connection_dump_request(int family);

// Whether one of a datagram's sockets is connected, and is at a loopback address while its peer is not.
[[nodiscard]] bool leads_into_loopback(std::span<const std::byte> datagram);

}  // namespace netlink
