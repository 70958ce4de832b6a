// port_status: a port and what has passed through it, as it was at one moment.
#pragma once

#include <atomic>
#include <cstdint>

#include "net/listen_key.hpp"
#include "relay/port_traffic.hpp"

namespace relay {

struct port_status {
  net::listen_key key;
  std::uint64_t connections = 0;  // admitted; for UDP: clients
  std::uint64_t open = 0;
  std::uint64_t received = 0;  // bytes from clients
  std::uint64_t sent = 0;      // bytes to clients
};

[[nodiscard]] inline port_status status_of(const net::listen_key& key, const port_traffic& t) {
  const auto value = [](const auto& number) { return number.load(std::memory_order_relaxed); };
  return {key, value(t.connections), value(t.open), value(t.received), value(t.sent)};
}

}  // namespace relay
