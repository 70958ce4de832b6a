// port_listeners: opens the listeners that PortMapping messages ask for. It retries a busy port until it is free, or
// removed. Owns the listeners and their relays. Control thread only.
#pragma once

#include <chrono>
#include <map>
#include <vector>

#include "async/condition.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "programs/port_proxy/listener_table.hpp"
#include "relay/listener_set.hpp"
#include "relay/port_status.hpp"

namespace port_proxy {

struct port_listeners_options {
  base::backoff retry{std::chrono::milliseconds(50), std::chrono::milliseconds(1'000), 0.2};
  std::size_t max_listeners = 2 * 65'536;
  int udp_buffer_bytes = 8 << 20;
  relay::relay_options relay{};
};

class port_listeners {
 public:
  port_listeners(const async::executor& where, port_listeners_options options);

  // Listens there, after settle(), and relays to `target`. Connections to a former target live on.
  void add(const net::listen_key& key, const net::endpoint& target);
  // The listener is closed when it returns.
  void remove(const net::listen_key& key);
  // Tries to open the added listeners; run() retries those that fail.
  void settle();

  // Retries listeners that could not be opened. Runs until cancelled.
  async::task<> run();

  [[nodiscard]] const listener_table& table() const { return table_; }
  // What has passed through each open listener.
  [[nodiscard]] std::vector<relay::port_status> ports() const { return listeners_.ports(); }

 private:
  void open_due(time_point now);
  void open(const net::listen_key& key);

  port_listeners_options options_;
  listener_table table_;
  std::map<net::listen_key, net::endpoint> targets_;  // of the keys in the table
  base::log::throttle opened_{std::chrono::minutes(1), 64}, removed_{std::chrono::minutes(1), 64},
      failed_{std::chrono::minutes(1), 64}, full_;
  relay::listener_set listeners_;
  async::condition changed_;
};

}  // namespace port_proxy
