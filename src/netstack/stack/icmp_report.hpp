// icmp_report: an ICMP error that the host's kernel reported for a packet of the VM (IP_RECVERR), on its way to the VM.
#pragma once

#include <cstdint>

#include "netstack/icmp.hpp"
#include "netstack/ipv4.hpp"

namespace netstack {

struct icmp_report {
  ipv4::address router;  // the sender of the error
  icmp::type what = icmp::type::unreachable;
  std::uint8_t code = 0;
  std::uint16_t mtu = 0;  // of unreachable::fragmentation_needed
  ipv4::protocol protocol = ipv4::protocol::udp;
  // The VM's packet: its ports, or the id and sequence of an echo request.
  ipv4::address from, asked;
  std::uint16_t source_port_or_id = 0;
  std::uint16_t destination_port_or_sequence = 0;
};

}  // namespace netstack
