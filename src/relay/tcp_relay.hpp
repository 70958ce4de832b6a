// tcp_relay: the TCP half of one data-plane thread. Owns its listeners' connections: each is dialled on to the target and
// relayed both ways until both directions have ended; a reset of either side becomes a reset of the other. A listener may
// go before its connections: they live on. In the loop's turns only.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>

#include "relay/counters.hpp"
#include "relay/event_loop.hpp"
#include "relay/pipe_pool.hpp"
#include "relay/sockets.hpp"

namespace relay {

class tcp_connection;

class tcp_relay {
 public:
  tcp_relay(event_loop& loop, counters& count, std::chrono::milliseconds connect_timeout);
  tcp_relay(const tcp_relay&) = delete;
  tcp_relay& operator=(const tcp_relay&) = delete;
  ~tcp_relay();  // closes every connection

  // A listener over a socket that listens already; the caller owns it, and retires it to the loop to end it.
  [[nodiscard]] std::unique_ptr<event_handler> listen(base::unique_fd fd, net::endpoint target);

 private:
  friend class tcp_connection;
  friend class tcp_listener;
  [[nodiscard]] bool reserve();
  void accepted(base::unique_fd client, const net::endpoint& target);
  void ended(tcp_connection& connection);
  [[nodiscard]] bool expire_connecting();

  event_loop& loop_;
  counters& count_;
  std::chrono::milliseconds connect_timeout_;
  pipe_pool pipes_;
  base::unique_fd spare_;
  std::unordered_map<tcp_connection*, std::unique_ptr<tcp_connection>> open_;
  // In the order of their dialling; entries of connections that have connected or ended are skipped.
  std::deque<std::pair<clock::time_point, tcp_connection*>> connecting_;
};

}  // namespace relay
