// machine_state: the interfaces by which peers reach the VM, as far as the machine has them now.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "net/address.hpp"

namespace loopback {

struct rule_options;

// One address at which a peer connects. Only packets that come in by `device`, from `network`, are the peer's.
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

// The network of `prefix_length` bits in which the (IPv4) address is.
[[nodiscard]] net::address network_of(const net::address& ip, unsigned prefix_length);

// The first address of a host in an IPv4 network, 192.168.127.1.
[[nodiscard]] net::address first_address(const net::address& network);

// Asks the kernel, in the network namespace of the calling thread.
[[nodiscard]] base::result<machine_state> look_at_machine(const rule_options& options);

}  // namespace loopback
