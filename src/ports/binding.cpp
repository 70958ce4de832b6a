#include "ports/binding.hpp"

#include <string>

#include "net/protocol.hpp"

namespace ports {

std::string to_string(const port_key& key) {
  const auto ip = key.address.to_string();
  return std::string(net::to_string(key.protocol)) + " " + (key.address.is_v6() ? "[" + ip + "]" : ip) + ":" +
         std::to_string(key.port);
}

net::address host_address_for(const net::address& asked) {
  return asked.is_unspecified() ? net::address::any_v4() : net::address::loopback_v4();
}

port_key host_key(const binding& b) { return {b.protocol, host_address_for(b.host_address), b.host_port}; }

}  // namespace ports
