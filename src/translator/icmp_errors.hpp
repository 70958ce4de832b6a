// icmp_errors: what the host's kernel says about packets that a socket has sent (IP_RECVERR, linux/errqueue.h).
#pragma once

#include <cstdint>
#include <functional>

#include "netstack/stack/flow_id.hpp"

namespace translator {

struct socket_error {
  netstack::endpoint destination;  // of the packet
  int error = 0;                   // errno
  std::uint16_t mtu = 0;           // of EMSGSIZE
  // Of an ICMP message; otherwise this host's kernel has refused the packet by itself.
  bool is_icmp = false;
  std::uint8_t type = 0, code = 0;
  netstack::ipv4::address router;
  // The first bytes of the packet behind its UDP header; of an echo request its ICMP header.
  std::uint16_t id = 0, sequence = 0;
};

// Asks for them. False: see errno.
[[nodiscard]] bool ask_for_errors(int fd);
// Calls `take` for each that waits, and clears the socket's pending error.
void read_errors(int fd, const std::function<void(const socket_error&)>& take);

}  // namespace translator
