// interface_addresses: the addresses of the network interfaces, in the network namespace of the calling thread. The
// only place that calls getifaddrs.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "net/address.hpp"

namespace netlink {

struct interface_address {
  std::string interface;  // its name; an alias's label "eth0:1" is reported as "eth0"
  net::address ip;
  unsigned prefix_length = 0;  // bits; 0: it has no netmask
  bool loopback = false;       // the interface is the loopback interface

  auto operator<=>(const interface_address&) const = default;
};

// Of all interfaces and both families, in the kernel's order: the primary IPv4 address of an interface first.
[[nodiscard]] base::result<std::vector<interface_address>> read_addresses();

// Of one interface. Empty if the interface has none, or does not exist.
[[nodiscard]] base::result<std::vector<interface_address>> addresses_of(const std::string& interface);

// The index of the interface that has this address now; 0: none has. A recreated one has another index.
[[nodiscard]] unsigned interface_of(const net::address& ip);

}  // namespace netlink
