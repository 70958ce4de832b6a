// tcp_relay: the TCP half of one data-plane thread. Owns connections: it dials the target for each and relays both ways
// until both directions have ended. A reset of either side becomes a reset of the other. Connections outlive their
// listener. Each new one goes to the thread that has the fewest. In the loop's turns only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "os/event_loop.hpp"
#include "relay/counters.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/pipe_pool.hpp"
#include "relay/port_traffic.hpp"
#include "relay/shortage.hpp"
#include "relay/stream_target.hpp"
#include "relay/tcp_connection.hpp"

namespace relay {

class tcp_relay {
 public:
  tcp_relay(os::event_loop& loop, counters& count, shortage& shortage, descriptor_budget& budget,
            std::chrono::milliseconds connect_timeout);
  tcp_relay(const tcp_relay&) = delete;
  tcp_relay& operator=(const tcp_relay&) = delete;
  ~tcp_relay();  // closes every connection

  // All relays that share the connections, including this one; before the first listen(). They outlive every listener.
  void set_workers(std::vector<tcp_relay*> workers) { workers_ = std::move(workers); }
  // A handler for a listening socket; the caller owns it. Its connections are counted in `traffic`.
  [[nodiscard]] base::result<std::unique_ptr<os::event_handler>> listen(
      base::unique_fd fd, const stream_target& target, admission admit = {},
      std::shared_ptr<port_traffic> traffic = std::make_shared<port_traffic>());

 private:
  friend class tcp_connection;
  friend class tcp_listener;
  using connections = std::list<std::unique_ptr<tcp_connection>>;
  [[nodiscard]] bool reserve();
  // An accepted client that is not a connection yet.
  struct arrival {
    base::unique_fd client;
    stream_target target;
    connection_ticket ticket;
    os::clock::time_point since;
  };
  void dispatch(base::unique_fd client, const stream_target& target, connection_ticket ticket);
  void open(arrival from);
  void open_later(arrival from);
  [[nodiscard]] bool is_late(os::clock::time_point since) const { return loop_.now() - since >= connect_timeout_; }
  void answered(tcp_connection& connection);
  void unreachable(tcp_connection& connection);
  void ended(tcp_connection& connection, bool was_connecting);
  [[nodiscard]] bool expire_connecting();

  os::event_loop& loop_;
  counters& count_;
  shortage& short_;
  descriptor_budget& budget_;
  std::chrono::milliseconds connect_timeout_;
  pipe_pool pipes_;
  base::unique_fd spare_;
  std::vector<tcp_relay*> workers_;
  std::atomic<std::size_t> load_{0};  // connections, and arrivals from other threads
  connections relaying_;
  connections connecting_;  // in the order of dialling
  bool ticking_ = false;    // expire_connecting() runs
};

}  // namespace relay
