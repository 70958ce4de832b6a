// error_sender: ICMP errors to VMs, and RSTs that belong to no flow. Owned by the stack. Their number per second is
// bounded, so that invalid packets of a VM cost little; an answer beyond the bound is dropped and counted.
#pragma once

#include <cstdint>

#include "netstack/icmp.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/packet_sender.hpp"
#include "netstack/tcp/segment.hpp"

namespace netstack {

// The beginning of a packet of the VM that is no longer in memory: what an error about it quotes.
struct lost_packet {
  ipv4::protocol protocol{};
  endpoint from, to;       // of an echo request: the ports are 0
  std::uint32_t rest = 0;  // TCP: the sequence number; echo: id and sequence
};

class error_sender {
 public:
  error_sender(const stack_settings& settings, packet_sender& out, statistics& counted)
      : settings_(settings), out_(out), counted_(counted) {}

  // About `packet`, from the gateway. Does nothing if RFC 1122 forbids an error.
  void send(icmp::type what, std::uint8_t code, const ipv4::packet& packet, time_point now);
  // `from`: the router or host that reports it.
  void send_about(const lost_packet& lost, ipv4::address from, icmp::type what, std::uint8_t code, std::uint16_t mtu,
                  time_point now);
  // Refuses a segment (RFC 9293, 3.10.7.1). Never answers a RST.
  void reset(const ipv4::packet& packet, const tcp::segment& s, time_point now);

 private:
  [[nodiscard]] bool is_allowed(time_point now);
  void send_message(ipv4::address from, ipv4::address to, bytes_view message, time_point now);

  const stack_settings& settings_;
  packet_sender& out_;
  statistics& counted_;
  time_point second_ = time_point::min();  // the start of the current one
  std::size_t sent_ = 0;                   // in it
};

}  // namespace netstack
