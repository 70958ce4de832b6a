// port_proxy: what the messages ask for, made so. Listens where they say and relays to the same port upstream; a port
// that is busy is tried again until it is free or no longer asked for. Owns the listeners; one control thread.
#pragma once

#include "io/condition.hpp"
#include "io/task.hpp"
#include "net/address.hpp"
#include "portmapping/message.hpp"
#include "relay/listener_set.hpp"
#include "wslproxy/listener_table.hpp"

namespace wslproxy {

struct port_proxy_options {
  net::address upstream;  // the namespace in which the ports are published
  base::backoff retry{std::chrono::milliseconds(50), std::chrono::milliseconds(1'000), 0.2};
  std::size_t max_listeners = 2 * 65'536;
  int udp_buffer_bytes = 8 << 20;
  relay::relay_options relay{};
};

class port_proxy {
 public:
  port_proxy(const io::executor& where, port_proxy_options options);

  // Done with when it returns: what it removes is closed, what it adds is open or will be tried again.
  void handle(const portmapping::message& m);

  // Tries again what could not be opened. Runs until cancelled.
  io::task<> run();

  [[nodiscard]] const listener_table& table() const { return table_; }

 private:
  void add(const listener_key& key);
  void remove(const listener_key& key);
  void open_due(time_point now);
  void open(const listener_key& key);

  port_proxy_options options_;
  listener_table table_;
  bool full_ = false;  // said so already
  relay::listener_set listeners_;
  io::condition changed_;
};

}  // namespace wslproxy
