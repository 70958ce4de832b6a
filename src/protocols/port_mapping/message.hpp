// message: one PortMapping, by which the agent adds bindings to wsl-proxy and privileged-service, or removes them. It
// is a command, not a state: a receiver keeps a binding until a message removes it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"

namespace port_mapping {

struct binding {
  net::protocol protocol = net::protocol::tcp;  // tcp or udp
  std::uint16_t container_port = 0;             // 1 to 65535
  net::endpoint host;                           // where the receiver listens; port 1 to 65535

  auto operator<=>(const binding&) const = default;
};

// An address of the VM at which a receiver outside reaches its ports.
struct connect_address {
  net::address ip;
  unsigned prefix_length = 0;  // bits: up to 32 for IPv4, 128 for IPv6

  auto operator<=>(const connect_address&) const = default;
};

struct message {
  bool remove = false;
  std::vector<binding> bindings;
  std::vector<connect_address> connect_addresses;  // empty toward wsl-proxy

  bool operator==(const message&) const = default;
};

// Where a receiver connects for a binding whose host address is of this family: the first usable address of the same
// family.
[[nodiscard]] std::optional<net::address> target_of(const std::vector<connect_address>& addresses, bool v4);

}  // namespace port_mapping
