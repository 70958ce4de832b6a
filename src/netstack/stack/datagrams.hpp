// datagrams: UDP and ICMP between the VMs and the owner. It keeps no flows: the owner's sockets are the flows. Owned by
// the stack.
#pragma once

#include "netstack/stack/action_queue.hpp"
#include "netstack/stack/destination.hpp"
#include "netstack/stack/error_sender.hpp"
#include "netstack/stack/icmp_report.hpp"
#include "netstack/udp_datagram.hpp"

namespace netstack {

class datagrams {
 public:
  datagrams(const stack_settings& settings, statistics& counted, action_queue& actions, error_sender& errors,
            packet_sender& packets)
      : settings_(settings), counted_(counted), actions_(actions), errors_(errors), packets_(packets) {}

  // From the VM. The packet is whole, and its payload stays valid until the batch has ended.
  void on_udp(const ipv4::packet& packet, const udp::datagram& d, const destination& where, time_point now);
  void on_echo_request(const ipv4::packet& packet, const icmp::message& m, const destination& where, time_point now);
  void on_unreachable(const icmp::message& error, const icmp::quoted_packet& about);

  // From the owner; see stack.hpp.
  bool send(endpoint from, endpoint to, bytes_view payload, bool dont_fragment, time_point now);
  void failed(endpoint from, endpoint asked, int error, std::uint16_t mtu, time_point now);
  bool send_echo_reply(const action::echo& request, bytes_view payload, time_point now);
  void pass_error(const icmp_report& report, time_point now);

 private:
  [[nodiscard]] bool is_served(std::uint16_t port) const;

  const stack_settings& settings_;
  statistics& counted_;
  action_queue& actions_;
  error_sender& errors_;
  packet_sender& packets_;
};

}  // namespace netstack
