// udp_relay: the UDP half of one data-plane thread. Every client of a listener is a flow with a socket of its own
// toward the target, so replies find the client that asked; they leave from the very address that it wrote to. Flows
// end after `idle` without a datagram either way, with their listener, or, the one idle for longest first, when there
// are too many. In the loop's turns only.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "relay/counters.hpp"
#include "relay/event_loop.hpp"

namespace relay {

struct udp_limits {
  std::chrono::milliseconds idle{90'000};
  std::size_t flows = 4096;  // for each listener
};

class datagram_batch;

class udp_relay {
 public:
  udp_relay(event_loop& loop, counters& count, udp_limits limits);
  udp_relay(const udp_relay&) = delete;
  udp_relay& operator=(const udp_relay&) = delete;
  ~udp_relay();

  // A listener over a bound socket; the caller owns it; its flows end with it.
  [[nodiscard]] base::result<std::unique_ptr<event_handler>> listen(base::unique_fd fd, const net::endpoint& target);

 private:
  friend class udp_listener;
  datagram_batch& batch();

  event_loop& loop_;
  counters& count_;
  udp_limits limits_;
  std::unique_ptr<datagram_batch> batch_;  // made with the first datagram
};

}  // namespace relay
