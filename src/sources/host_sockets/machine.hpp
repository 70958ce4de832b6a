// machine: figures of the kernel for the listeners source: the range of ephemeral ports, and the processor time that
// this program has used.
#pragma once

#include <chrono>
#include <string_view>

#include "base/result.hpp"
#include "kernel/netlink/sock_diag.hpp"

namespace host_sockets {

// net.ipv4.ip_local_port_range of the calling thread's network namespace. Fails if it cannot be read: no default
// would be right.
[[nodiscard]] base::result<netlink::port_range> ephemeral_ports();
// The text of that file: two ports.
[[nodiscard]] base::result<netlink::port_range> parse_port_range(std::string_view text);

// Processor time of the calling thread and of this process's children.
[[nodiscard]] std::chrono::nanoseconds processor_time();

}  // namespace host_sockets
