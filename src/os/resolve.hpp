// resolve: the addresses of a host name, within the caller's deadline. getaddrinfo(3) blocks while name servers are
// silent and cannot be interrupted; Asio's resolver makes the whole program wait for it, even at exit. Here each
// look-up has a thread of its own, which is abandoned when the caller stops waiting.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace os {

// At least one endpoint, in the order in which to try them. A numeric address needs no look-up. Errors: those of
// getaddrinfo; resource_unavailable_try_again while too many abandoned look-ups still run. Cancelled: throws
// operation_aborted at once.
async::task<base::result<std::vector<net::endpoint>>> resolve(std::string host, std::uint16_t port);

}  // namespace os
