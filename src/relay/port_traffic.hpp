// port_traffic: what has passed through one port since it was opened, for metrics. Written by the threads of the data
// plane, read by any.
#pragma once

#include <atomic>
#include <cstdint>

namespace relay {

struct port_traffic {
  std::atomic<std::uint64_t> connections{0};  // admitted; for UDP: clients
  std::atomic<std::uint64_t> open{0};         // of these, now
  std::atomic<std::uint64_t> received{0};     // bytes from clients
  std::atomic<std::uint64_t> sent{0};         // bytes to clients

  void begin() {
    connections.fetch_add(1, std::memory_order_relaxed);
    open.fetch_add(1, std::memory_order_relaxed);
  }
  void end() { open.fetch_sub(1, std::memory_order_relaxed); }
  void receive(std::uint64_t bytes) { received.fetch_add(bytes, std::memory_order_relaxed); }
  void send(std::uint64_t bytes) { sent.fetch_add(bytes, std::memory_order_relaxed); }
};

}  // namespace relay
