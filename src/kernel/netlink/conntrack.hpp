// conntrack: makes the kernel forget UDP flows. The kernel decides once for each flow where its datagrams go, and keeps
// the decision while they arrive: a client that sent before a port's rules existed would never reach it.
#pragma once

#include <cstddef>
#include <set>

#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace netlink {

// Forgets the flows to these endpoints, in the calling thread's network namespace; the next datagram of each makes a
// new one. Returns their number. Blocks while the kernel lists its flows, half a second at
// most.
base::result<std::size_t> forget_udp_flows(const std::set<net::endpoint>& destinations);

}  // namespace netlink
