// machine: figures that the kernel keeps and the listeners source needs: which ports clients get, and how much
// processor time this program has used.
#pragma once

#include <chrono>
#include <string_view>

#include "base/result.hpp"
#include "kernel/netlink/sock_diag.hpp"

namespace host_sockets {

// net.ipv4.ip_local_port_range of the calling thread's network namespace. Fails where it cannot be read: there is no
// default that would be right.
[[nodiscard]] base::result<netlink::port_range> ephemeral_ports();
// The text of that file: two ports.
[[nodiscard]] base::result<netlink::port_range> parse_port_range(std::string_view text);

// Processor time that the calling thread, and the programs that this process has run, have used.
[[nodiscard]] std::chrono::nanoseconds processor_time();

}  // namespace host_sockets
