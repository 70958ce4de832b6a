// api_server: keeps the forwarder API listening at its address for as long as host-switch runs. A busy port, as with a
// web server on the host's 0.0.0.0:80, is tried again until it is free; a new interface for the address, as with a tap
// that the VM's restart replaces, gets a new socket. While the interfaces cannot be read, the API does not begin to
// listen: it would take what arrives at any of them.
#pragma once

#include "async/task.hpp"
#include "http/server.hpp"
#include "programs/host_switch/kernel_network.hpp"

namespace host_switch {

// A failure that can pass by itself: the port is busy, the address or a descriptor is missing.
[[nodiscard]] bool may_pass(const std::error_code& why);

// Runs until cancelled. `network` and what the functions refer to outlive it.
async::task<> serve_api(kernel_network* network, http::handler handle, http::server_limits limits,
                        http::admission admits);

}  // namespace host_switch
