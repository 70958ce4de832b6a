// machine_state: the interfaces by which peers reach the VM, of those that exist now.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "net/address.hpp"

namespace loopback {

struct rule_options;

// One address at which a peer connects. Only packets from `network` that come in by `device` are the peer's.
struct peer_interface {
  std::string device;
  net::address address;
  net::address network;
  unsigned prefix_length = 24;  // of `network`, in bits

  auto operator<=>(const peer_interface&) const = default;
};

struct machine_state {
  std::vector<peer_interface> peers;

  [[nodiscard]] bool has(const net::address& peer_address) const;
  bool operator==(const machine_state&) const = default;
};

// The network of `prefix_length` bits that contains the IPv4 address.
[[nodiscard]] net::address network_of(const net::address& ip, unsigned prefix_length);

// The first host address in an IPv4 network, such as 192.168.127.1.
[[nodiscard]] net::address first_address(const net::address& network);

// Reads it from the kernel, in the network namespace of the calling thread.
[[nodiscard]] base::result<machine_state> read_machine(const rule_options& options);

}  // namespace loopback
