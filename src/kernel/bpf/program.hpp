// program: the small BPF programs of this agent. They report at once what nothing else in the kernel reports: a socket
// began to listen, a listener closed, a UDP socket was bound. They read, write one record into a ring, and change
// nothing. A program runs while its attachment is open, and never outlives the process.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace bpf {

// Owner of a program and of its attachment.
struct attachment {
  base::unique_fd program, link;
};

// The identity of a network namespace for the programs.
using netns_cookie = std::uint64_t;
inline constexpr netns_cookie every_namespace = 0;

// That of the calling thread. Linux 5.14 and later.
[[nodiscard]] base::result<netns_cookie> own_namespace();

// Each writes into the ring with the descriptor `ring`, see ring.hpp, for sockets of that network namespace, which
// needs Linux 5.15. The error is the kernel's: permission_denied, function_not_supported if it was built without, or
// invalid_argument if it is too old.

// TCP sockets that begin to listen, and those that stop listening while they stay open.
[[nodiscard]] base::result<attachment> notify_tcp_listens(int ring, netns_cookie own);
// TCP listeners that are about to be closed, including older ones.
[[nodiscard]] base::result<attachment> notify_tcp_closes(int ring, netns_cookie own);
// UDP sockets that are bound to a port outside [first, last], of IPv4 or, with `v6`, of IPv6, a moment before a list
// shows them.
[[nodiscard]] base::result<attachment> notify_udp_binds(int ring, netns_cookie own, bool v6, std::uint16_t first,
                                                        std::uint16_t last);

// Mounts the root of the control groups, to which the programs are attached, if the program still has CAP_SYS_ADMIN.
// Later it takes the mount in the usual place, which not every machine has.
void mount_root_group();

// False: the calling thread is in a namespace of control groups, and the programs see only sockets in there.
[[nodiscard]] bool sees_all_groups();

}  // namespace bpf
