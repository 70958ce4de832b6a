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

// By what programs know a network namespace.
using netns_cookie = std::uint64_t;
inline constexpr netns_cookie every_namespace = 0;

// That of the calling thread's. Linux 5.14 and later.
[[nodiscard]] base::result<netns_cookie> own_namespace();

// Each writes into the ring with the descriptor `ring`, see ring.hpp, for sockets of that network namespace, which
// takes Linux 5.15. The error is the kernel's: permission_denied, function_not_supported where it was built without, or
// invalid_argument where it is too old.

// TCP sockets that begin to listen, and those of them that no longer do though they are open.
[[nodiscard]] base::result<attachment> notify_tcp_listens(int ring, netns_cookie own);
// TCP listeners that are about to be closed, whenever they began.
[[nodiscard]] base::result<attachment> notify_tcp_closes(int ring, netns_cookie own);
// UDP sockets that somebody binds to a port outside [first, last], of IPv4 or, with `v6`, of IPv6, a moment before a
// list shows them.
[[nodiscard]] base::result<attachment> notify_udp_binds(int ring, netns_cookie own, bool v6, std::uint16_t first,
                                                        std::uint16_t last);

// False: the calling thread is in a namespace of control groups, and the programs see what is in there alone.
[[nodiscard]] bool sees_all_groups();

}  // namespace bpf
