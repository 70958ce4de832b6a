// destination: the meaning of an address and a port to which a VM sends.
#pragma once

#include <cstdint>

#include "netstack/stack/settings.hpp"

namespace netstack {

enum class destination_kind : std::uint8_t {
  host,       // outside: `to` is for a socket of the host
  gateway,    // ours: a service of the owner, or a closed port
  neighbour,  // another address of the subnet: reached on the link, never through us
  group,      // a multicast or broadcast
  forbidden,  // never passed to the host
};

struct destination {
  destination_kind kind = destination_kind::forbidden;
  ipv4::address to;         // after the nat table
  bool translated = false;  // by the nat table
};

// The nat table comes first: its addresses are allowed, wherever they lead. Forbidden are addresses that mean the host
// or no host (RFC 6890): 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 240.0.0.0/4.
[[nodiscard]] destination look_up(const stack_settings& settings, ipv4::address asked);

// Whether the stack answers ARP and echo requests for this address: the gateway, and the nat table's addresses in the
// subnet.
[[nodiscard]] bool is_own_address(const stack_settings& settings, ipv4::address a);
[[nodiscard]] bool is_in_subnet(const stack_settings& settings, ipv4::address a);

}  // namespace netstack
