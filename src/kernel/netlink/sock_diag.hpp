// sock_diag: lists the listening sockets, reports when one of them has closed, and finds connections to loopback
// addresses from elsewhere. Uses the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "kernel/netlink/sock_diag_codec.hpp"
#include "kernel/netlink/socket.hpp"

namespace netlink {

struct listening {
  std::vector<diag_socket> sockets;        // in no order; all of each SO_REUSEPORT group
  std::vector<net::protocol> unsupported;  // not listed: the kernel lacks the diagnosis module
};

// Fails as a whole: half a list must not pass for a list. Blocks while the kernel writes the list:
// some 0.1 ms, and 1 ms more for each 1,000 sockets; half a second at most. More than 100,000 sockets are an error.
[[nodiscard]] base::result<listening> list_listeners();

// Whether a TCP connection is open between a loopback address and one that is not. For another machine, a rule that
// translates addresses makes one, and it lasts while packets from there may be routed to loopback. Blocks while the
// kernel lists all connections, half a second at most.
[[nodiscard]] base::result<bool> has_connection_into_loopback();

struct port_range {
  std::uint16_t first = 1, last = 0;  // both included; none by default
  bool operator==(const port_range&) const = default;
};

// Becomes readable when a socket of that protocol has closed that may have listened. The kernel itself skips connected
// sockets and the ignored ports. The notices carry nothing else: discard them.
[[nodiscard]] base::result<socket> watch_closed(net::protocol protocol, port_range ignored_ports = {});

}  // namespace netlink
