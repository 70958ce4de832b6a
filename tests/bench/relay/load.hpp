// The loads that the bench puts on a path, all against the ports of a target_server at `first` or of a relay before it.
// One thread, a few hundred milliseconds each. A path that does not carry them within seconds throws.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bench {

using duration = std::chrono::steady_clock::duration;

struct request_times {
  double per_second = 0;
  double p50 = 0;  // in microseconds
  double p99 = 0;
};

// Bytes a second that reached the target over so many connections.
double throughput(std::uint16_t first, unsigned connections, duration length);
// Connections a second, each with one request and closed by the target; `at_once` are under way at any time.
double connection_rate(std::uint16_t first, unsigned at_once, duration length);
// Requests one after the other on each of so many connections.
request_times requests(std::uint16_t first, unsigned connections, duration length);
// Datagrams a second that came back, with `window` of each client under way.
double datagram_rate(std::uint16_t first, unsigned clients, unsigned window, std::size_t bytes, duration length);

}  // namespace bench
