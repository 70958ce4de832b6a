// machine_state: the interfaces by which peers reach the VM, of those that exist now.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"

namespace loopback {

struct rule_options;

// Of a peer's network whose netmask is not known, in bits.
inline constexpr unsigned usual_prefix = 24;

// One address at which a peer connects. Only packets from `network` that come in by `device` are the peer's. A socket
// that is bound to a device stays with the device's index: one that is made again under its name has another.
struct peer_interface {
  std::string device;
  net::address address;
  net::cidr network;
  unsigned index = 0;  // 0: the device has gone meanwhile

  auto operator<=>(const peer_interface&) const = default;
};

struct machine_state {
  std::vector<peer_interface> peers;

  [[nodiscard]] bool has(const net::address& peer_address) const;
  bool operator==(const machine_state&) const = default;
};

// Reads it from the kernel, in the network namespace of the calling thread.
[[nodiscard]] base::result<machine_state> read_machine(const rule_options& options);

}  // namespace loopback
