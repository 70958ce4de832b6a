// program: the few small programs that this agent puts into the kernel, to be told at once of what nothing else tells:
// that a socket began to listen, that a listener closed, that a UDP socket was bound. They look, write one record into
// a ring and change nothing. A program runs as long as its attachment is open, and never outlives the process.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace bpf {

// Owner of a program where it is attached.
struct attachment {
  base::unique_fd program, link;
};

// Each writes into the ring with the descriptor `ring`, see ring.hpp, for sockets of every network namespace. The error
// is the kernel's: permission_denied, or function_not_supported where it was built without.

// TCP sockets that begin to listen, a moment before a list shows them, and listeners that close, after they are gone
// from every list.
[[nodiscard]] base::result<attachment> tell_tcp_listeners(int ring);

// UDP sockets that somebody binds to a port outside [first, last], of IPv4 or, with `v6`, of IPv6.
[[nodiscard]] base::result<attachment> tell_udp_binds(int ring, bool v6, std::uint16_t first, std::uint16_t last);

}  // namespace bpf
