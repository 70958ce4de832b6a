// settings: the configuration of the stack. Every bound on the memory that a VM can make it use is here, with its
// default.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "net/cidr.hpp"
#include "net/mac_address.hpp"
#include "netstack/dhcp/lease_table.hpp"
#include "netstack/fragments.hpp"
#include "netstack/stack/flow_id.hpp"

namespace netstack {

struct stack_limits {
  std::size_t flows = 16'384;     // TCP, all states; beyond it SYNs are refused and open() fails
  std::size_t half_open = 1'024;  // connecting, or without an answer to our SYN-ACK; then the oldest is dropped
  std::size_t time_wait = 1'024;  // ended connections that repeat an acknowledgement; beyond it the oldest is forgotten
  std::size_t send_memory = std::size_t{32} << 20U;     // rings toward the VM, all flows: beyond it none grows
  std::size_t receive_memory = std::size_t{32} << 20U;  // kept for slow sockets, all flows: windows shrink
  std::size_t queued_packets = std::size_t{4} << 20U;   // bytes of datagrams, errors and answers toward the VM
  std::size_t neighbours = 2'048;                       // interfaces of VMs: more than there are leases
  std::size_t waiting_packets = 64;     // for one VM whose MAC is not known; beyond it the oldest is dropped
  std::size_t errors_a_second = 1'000;  // ICMP errors and RSTs without a flow
  fragment_limits fragments;
};

struct port_range {
  std::uint16_t first = 1, last = 0;  // inclusive; empty if first is larger

  [[nodiscard]] constexpr bool contains(std::uint16_t port) const { return first <= port && port <= last; }
};

struct nat_entry {
  ipv4::address inside;  // the VM's destination; the stack answers ARP and echo for it if it is in the subnet
  ipv4::address host;    // where the owner connects
};

using dhcp::fixed_lease;

struct stack_settings {
  net::cidr subnet{net::address::v4(192, 168, 127, 0), 24};  // IPv4; the gateway is its first address
  net::mac_address gateway_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xdd}};
  std::uint16_t mtu = 1'500;  // 576 to 65,520
  std::vector<nat_entry> nat{{{0xc0a8'7ffe}, {0x7f00'0001}}};
  std::vector<fixed_lease> leases{{{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}}, {0xc0a8'7f02}}};
  std::vector<std::string> search_domains;
  // Ports of the owner's services at the gateway's address. Other ports are refused.
  std::vector<std::uint16_t> tcp_services{53, 80};
  std::vector<std::uint16_t> udp_services{53};
  // Ports of the gateway's address from which the owner sends datagrams of its clients. Replies belong to the owner as
  // well; it calls datagram_failed() for a port without a client.
  port_range udp_client_ports;
  std::chrono::seconds open_limit{10};  // for the VM's answer to open()
  stack_limits limits;
  // Random bytes for the keyed hashes of sequence numbers, ports and the flow table. Must not be logged.
  std::array<std::uint8_t, 16> secret{};

  [[nodiscard]] ipv4::address gateway() const { return {ipv4::from_net(subnet.network()).value + 1}; }
};

}  // namespace netstack
