// privileged_port: ports of AF_VSOCK that only root may bind. A virtual socket tells its other end nothing of its user;
// such a port does.
#pragma once

namespace relay {

// Before connect(): binds the virtual socket to one of 512 such ports. Where none is free, or this process lacks the
// right, it stays unbound, and connect() takes any other port.
void bind_privileged_port(int fd);
// Whether the other end of this connection has one. False for all but virtual sockets.
[[nodiscard]] bool is_from_privileged_port(int fd);

}  // namespace relay
