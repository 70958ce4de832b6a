// process_sockets: what the machine says about sockets that are not to be published: which are this process's own or an
// engine's, and on which ports clients get theirs.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <span>
#include <string>

#include "base/result.hpp"
#include "netlink/sock_diag.hpp"

namespace listeners {

// The inodes of the sockets that this process holds: /proc/self/fd.
[[nodiscard]] base::result<std::set<std::uint32_t>> own_socket_inodes();

// The inodes of the sockets that processes with one of these names hold: /proc/<pid>/comm, /proc/<pid>/fd. What cannot
// be read is passed over; it reads a name for each process of the machine, some 5 us each.
[[nodiscard]] std::set<std::uint32_t> socket_inodes_of(std::span<const std::string> programs);

// net.ipv4.ip_local_port_range of the calling thread's network namespace, the kernel's default where it cannot be read.
[[nodiscard]] netlink::port_range ephemeral_ports();

// Processor time that the calling thread, and the programs that this process has run, have used.
[[nodiscard]] std::chrono::nanoseconds processor_time();

}  // namespace listeners
