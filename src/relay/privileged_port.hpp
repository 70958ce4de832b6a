// privileged_port: ports of AF_VSOCK that only root may bind. A virtual socket does not reveal its user to the other
// end; such a port does.
#pragma once

namespace relay {

// Before connect(): binds the virtual socket to one of 512 such ports. If none is free, or this process may not, it
// stays unbound and connect() takes any port.
void bind_privileged_port(int fd);
// Whether the other end of this connection has such a port. False for other sockets.
[[nodiscard]] bool is_from_privileged_port(int fd);

}  // namespace relay
