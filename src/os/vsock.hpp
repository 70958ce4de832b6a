// vsock: virtual sockets (AF_VSOCK), which connect a virtual machine and its host. An end is a context id and a port. A
// socket belongs to the machine's default network namespace, wherever it is used.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/stream_address.hpp"

namespace os {

// Non-blocking and close-on-exec. The error names the address.
[[nodiscard]] base::result<base::unique_fd> listen_on_vsock(const net::vsock_address& at);

// The context id of a virtual socket's peer; 0 for other sockets.
[[nodiscard]] std::uint32_t peer_cid(int fd);

}  // namespace os
