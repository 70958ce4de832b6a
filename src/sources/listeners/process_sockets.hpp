// process_sockets: what the machine says about sockets that are not to be published: which are this process's own, and
// on which ports clients get theirs.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>

#include "base/result.hpp"
#include "netlink/sock_diag.hpp"

namespace listeners {

// The inodes of the sockets that this process holds: /proc/self/fd.
[[nodiscard]] base::result<std::set<std::uint32_t>> own_socket_inodes();

// net.ipv4.ip_local_port_range of the calling thread's network namespace, the kernel's default where it cannot be read.
[[nodiscard]] netlink::port_range ephemeral_ports();

// Processor time that the calling thread, and the programs that this process has run, have used.
[[nodiscard]] std::chrono::nanoseconds processor_time();

}  // namespace listeners
