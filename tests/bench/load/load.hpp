// The loads that the benches put on a path. `to`: a port of a target_server, or one that leads to it. One thread, in
// whose network namespace the clients are. A path that does not carry a load within seconds throws.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "net/endpoint.hpp"

namespace bench {

using duration = std::chrono::steady_clock::duration;

struct request_times {
  double per_second = 0;
  double p50 = 0;  // in microseconds
  double p99 = 0;
};

struct connections_made {
  std::uint64_t count = 0;
  double seconds = 0;
};

// Bytes a second that reached the sink over so many connections.
double throughput(const net::endpoint& to, unsigned connections, duration length);
// Connections to the answering port, each with one request and closed by the target; `at_once` are under way at any
// time. Ends after `count` of them, or at the limit.
connections_made make_connections(const net::endpoint& to, unsigned at_once, std::uint64_t count, duration limit);
// The same: connections a second.
double connection_rate(const net::endpoint& to, unsigned at_once, duration length);
// Requests one after the other on each of so many connections to the answering port.
request_times requests(const net::endpoint& to, unsigned connections, duration length);
// Datagrams a second that came back from the echo, with `window` of each client under way.
double datagram_rate(const net::endpoint& to, unsigned clients, unsigned window, std::size_t bytes, duration length);

}  // namespace bench
