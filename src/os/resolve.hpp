// resolve: the addresses of a host name, within a deadline. glibc's getaddrinfo(3) blocks, cannot be interrupted, and
// loads modules that a static program does not have. c-ares (name_channel) reads the hosts file and asks name servers,
// on the caller's loop.
//
// Each look-up has a channel of its own and reads both files: nothing is cached, so a change of either counts at once.
// Both kinds of address are asked for at once, in two questions. Some servers never answer the one for IPv6. If an
// answer is missing after 300 ms, each kind is also asked for alone, and the first one with an address is the result.
//
// nsswitch.conf is not read: names that only a module of glibc knows (mDNS, NIS …) are not found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace os {

// At least one endpoint, in the order in which to try them. A numeric address needs no file and no look-up. Errors
// start with "resolve <host>: "; timed_out after half a minute without a result, or when c-ares has given up before.
// Cancelled: throws operation_aborted at once.
async::task<base::result<std::vector<net::endpoint>>> resolve(std::string host, std::uint16_t port);

}  // namespace os
