// port_proxy: listens where the messages say and relays to the same port upstream.
#pragma once

#include "net/address.hpp"
#include "portmapping/message.hpp"
#include "portproxy/port_listeners.hpp"

namespace wslproxy {

struct port_proxy_options {
  net::address upstream;  // the namespace in which the ports are published
  portproxy::port_listeners_options listeners{};
};

class port_proxy {
 public:
  port_proxy(const io::executor& where, const port_proxy_options& options)
      : upstream_(options.upstream), listeners_(where, options.listeners) {}

  // Done with when it returns: what it removes is closed, what it adds is open or will be tried again.
  void handle(const portmapping::message& m);

  // Tries again what could not be opened. Runs until cancelled.
  io::task<> run() { return listeners_.run(); }

  [[nodiscard]] const portproxy::listener_table& table() const { return listeners_.table(); }

 private:
  net::address upstream_;
  portproxy::port_listeners listeners_;
};

}  // namespace wslproxy
