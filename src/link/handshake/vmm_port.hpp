// vmm_port: a port of a VM whose VMM offers the VM's virtual sockets as a UNIX socket on the host: Firecracker, Cloud
// Hypervisor. The client sends "CONNECT PORT\n". The VMM connects to the port in the VM and answers "OK NUMBER\n", or
// closes the connection. The bytes after the newline are the stream of the VM's program. Source: "Host-initiated
// connections" in docs/vsock.md of Firecracker.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>

#include "async/task.hpp"
#include "base/result.hpp"

namespace handshake {

inline constexpr std::size_t longest_vmm_answer = 32;  // bytes, with the newline

// `vmm`: a new connection to the VMM's socket; outlives the task. Reads nothing behind the newline. Waits as long as
// the VMM is silent: the caller has the deadline.
async::task<base::result<>> connect_to_vm_port(boost::asio::posix::stream_descriptor* vmm, std::uint32_t port);

}  // namespace handshake
