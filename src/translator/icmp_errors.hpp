// icmp_errors: the errors that the host's kernel reports for packets of a socket (IP_RECVERR, linux/errqueue.h).
#pragma once

#include <cstdint>
#include <functional>

#include "netstack/stack/flow_id.hpp"

namespace translator {

struct socket_error {
  netstack::endpoint destination;  // of the packet; without a port if this host's kernel has refused it
  int error = 0;                   // errno
  std::uint16_t mtu = 0;           // of EMSGSIZE
  // From an ICMP message; otherwise this host's kernel has refused the packet.
  bool is_icmp = false;
  std::uint8_t type = 0, code = 0;
  netstack::ipv4::address router;
  // The first bytes of the packet after its UDP header; for an echo request, of its ICMP header.
  std::uint16_t id = 0, sequence = 0;
};

// Requests the reports. False: see errno.
[[nodiscard]] bool ask_for_errors(int fd);
// Calls `take` for each report that waits, and clears the socket's pending error.
void read_errors(int fd, const std::function<void(const socket_error&)>& take);

}  // namespace translator
