// sock_diag_codec: the messages of NETLINK_SOCK_DIAG by which the kernel lists the sockets that wait for whoever comes:
// TCP in LISTEN, and UDP that is bound and not connected. The kernel leaves all others out itself, so ten thousand
// connections cost nothing. Pure.
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
  bool ipv6_only = false;    // of an IPv6 socket: no IPv4 comes by it
  std::uint32_t device = 0;  // the interface to which it is bound; 0: to none
  std::uint32_t inode = 0;   // as /proc/<pid>/fd shows it

  auto operator<=>(const diag_socket&) const = default;
};

// `family`: AF_INET or AF_INET6. Dual-stack sockets are IPv6 ones.
[[nodiscard]] std::vector<std::byte> listener_dump_request(net::protocol protocol, int family);

struct listener_dump {
  std::vector<diag_socket> sockets;
  bool done = false;     // nothing more comes
  int error_number = 0;  // the kernel refused; then it is done, too
};

// One datagram of the answer to a request for `protocol`, which the kernel does not repeat. Sockets in other states,
// connected ones, and what is cut or malformed are passed over.
[[nodiscard]] listener_dump parse_listener_dump(std::span<const std::byte> datagram, net::protocol protocol);

}  // namespace netlink
