// counters: what a listener_set has done, for the status. Written by the data-plane threads, read by any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace relay {

struct counters {
  std::atomic<std::uint64_t> accepted{0};     // TCP connections accepted
  std::atomic<std::uint64_t> refused{0};      // TCP connections beyond a share, or from a client that is not allowed
  std::atomic<std::uint64_t> connections{0};  // open now
  std::atomic<std::uint64_t> connect_failures{0};  // targets that could not be reached
  std::atomic<std::uint64_t> flows{0};             // UDP clients known now
  std::atomic<std::uint64_t> dropped{0};           // datagrams that could not be passed on
};

}  // namespace relay
