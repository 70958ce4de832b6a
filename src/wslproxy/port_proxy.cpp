#include "wslproxy/port_proxy.hpp"

namespace wslproxy {

void port_proxy::handle(const portmapping::message& m) {
  for (const auto& b : m.bindings) {
    const auto key = portproxy::key_of(b);
    if (m.remove)
      listeners_.remove(key);
    else
      listeners_.add(key, {upstream_, key.port});
  }
  listeners_.settle();
}

}  // namespace wslproxy
