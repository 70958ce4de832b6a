// api_server: keeps the forwarder API listening at its address for as long as host-switch runs. A busy port, such as
// that of a web server on the host's 0.0.0.0:80, is tried again until it is free. When the address moves to another
// interface, such as the tap of a VM that restarted, the API gets a new socket.
#pragma once

#include "async/task.hpp"
#include "http/server.hpp"
#include "programs/host_switch/network.hpp"

namespace host_switch {

// Whether a failure may be temporary: the port is busy, or the address or a descriptor is missing.
[[nodiscard]] bool may_pass(const std::error_code& why);

// Runs until cancelled. `way` outlives it, and so does all that the functions refer to.
async::task<> serve_api(network* way, http::handler handle, http::server_limits limits, http::admission admits);

}  // namespace host_switch
