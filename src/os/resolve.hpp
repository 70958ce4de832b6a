// resolve: from a host's name to addresses, with a deadline that is kept. getaddrinfo(3) blocks for as long as the name
// servers are silent, nothing can interrupt it, and Asio's resolver has the whole program wait for it, at its end too.
// Here every name is looked up on a thread of its own, which is left behind when the caller does not wait any longer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace os {

// At least one endpoint, in the order in which they are to be tried. A numeric address is answered at once. Errors:
// what getaddrinfo says; resource_unavailable_try_again while too many look-ups that nobody waits for are still under
// way. Cancelled: throws operation_aborted at once.
async::task<base::result<std::vector<net::endpoint>>> resolve(std::string host, std::uint16_t port);

}  // namespace os
