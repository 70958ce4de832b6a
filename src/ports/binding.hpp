// binding: one published port as its source reports it, and the key under which the host can hold it.
//
// A key is (protocol, host address, host port) after normalising: loopback in any form is 127.0.0.1, a wildcard of
// either family is 0.0.0.0. An address that cannot be the host's becomes 127.0.0.1: a port is never exposed wider than
// it was published.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/shared_text.hpp"
#include "net/address.hpp"
#include "net/protocol.hpp"
#include "ports/serving.hpp"

namespace ports {

struct binding {
  net::protocol protocol = net::protocol::tcp;
  net::address host_address;         // as the engine has it inside the VM
  std::uint16_t host_port = 0;       // 1 to 65535
  std::uint16_t container_port = 0;  // 1 to 65535; the host port where there is no other
  base::shared_text owner;           // stable id: container id, Service UID, rule, socket
  base::shared_text owner_name;      // for people: container name, namespace/service; may be empty
  serving served = serving::rule_and_proxy;
  base::shared_text traits{};  // of the owner, see owner_traits.hpp

  auto operator<=>(const binding&) const = default;
};

struct port_key {
  net::protocol protocol = net::protocol::tcp;
  net::address address;
  std::uint16_t port = 0;

  auto operator<=>(const port_key&) const = default;
};
[[nodiscard]] std::string to_string(const port_key& key);  // "tcp 127.0.0.1:8080"

// The key as it stands in the VM: nothing normalised.
[[nodiscard]] inline port_key raw_key(const binding& b) { return {b.protocol, b.host_address, b.host_port}; }
// The key as the host would hold it.
[[nodiscard]] port_key host_key(const binding& b);
[[nodiscard]] net::address host_address_for(const net::address& asked);

}  // namespace ports
