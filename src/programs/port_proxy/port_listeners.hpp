// port_listeners: the listeners that PortMapping messages ask for, made so. A port that is busy is tried again until it
// is free or no longer asked for. Owns the listeners and what they relay; one control thread.
#pragma once

#include <chrono>
#include <map>

#include "async/condition.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "programs/port_proxy/listener_table.hpp"
#include "relay/listener_set.hpp"

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

  // Listens there, soon after settle(), and relays to `target`; connections that another target has got live on.
  void add(const net::listen_key& key, const net::endpoint& target);
  // Closed when it returns.
  void remove(const net::listen_key& key);
  // Opens what was added since. Done with when it returns: what could not be opened will be tried again.
  void settle();

  // Tries again what could not be opened. Runs until cancelled.
  async::task<> run();

  [[nodiscard]] const listener_table& table() const { return table_; }

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
