// stack::machine: the parts of the stack, and the path of a frame through them. Each part has its own file; this one
// decides which part a packet reaches, and drops what must not reach any.
//
// The path of a frame: Ethernet (ours, or a group) → ARP, or IPv4 (checksum, lengths) → DHCP, first of all, because its
// sender has no address yet → the source is the sender's lease, otherwise dropped → fragments → time to live → TCP, UDP
// or ICMP, according to the destination.
#pragma once

#include "netstack/arp.hpp"
#include "netstack/dhcp/server.hpp"
#include "netstack/fragments.hpp"
#include "netstack/stack/datagrams.hpp"
#include "netstack/stack/stack.hpp"
#include "netstack/stack/tcp_flows.hpp"

namespace netstack {

class stack::machine {
 public:
  machine(stack_settings settings, time_point now);

  void on_frame(const frame_in& frame, time_point now);
  [[nodiscard]] std::optional<any_action> next_action();
  void end_batch(time_point now);
  bool next_frame(frame_out& to, time_point now);
  [[nodiscard]] time_point wake_at() const;
  void on_time(time_point now);
  void link_up(link_id link, const link_properties& properties, time_point now);
  void link_down(link_id link);
  void link_blocked(link_id link, bool blocked);

  // Every call except next_frame() and link_blocked() begins with it: the frames have been written.
  void begin_call(time_point now);

  [[nodiscard]] tcp_flows& flows() { return flows_; }
  [[nodiscard]] const tcp_flows& flows() const { return flows_; }
  [[nodiscard]] netstack::datagrams& datagrams() { return datagrams_; }
  bool accepts_source(const net::mac_address& mac, ipv4::address address, link_id link, time_point now);
  [[nodiscard]] bool is_located(ipv4::address vm) const { return neighbours_.find(vm) != nullptr; }
  [[nodiscard]] dhcp::server& dhcp() { return dhcp_; }
  [[nodiscard]] statistics counters() const;
  [[nodiscard]] std::vector<lease> leases() const { return dhcp_.leases(now_); }

 private:
  void on_arp(const ethernet::frame& frame, link_id link, time_point now);
  void on_ipv4(const ethernet::frame& frame, const frame_in& whole, time_point now);
  bool on_dhcp(const ethernet::frame& frame, const ipv4::packet& packet, const frame_in& whole, time_point now);
  void on_packet(ipv4::packet packet, bool verify, time_point now);
  void on_tcp(const ipv4::packet& packet, const destination& where, bool verify, time_point now);
  void on_udp(const ipv4::packet& packet, const destination& where, bool verify, time_point now);
  void on_icmp(const ipv4::packet& packet, const destination& where, time_point now);
  void locate(ipv4::address a, const location& at);
  void ask_neighbours(time_point now);

  const stack_settings settings_;
  statistics counted_;
  netstack::links links_;
  netstack::neighbours neighbours_;
  fragments fragments_;
  dhcp::server dhcp_;
  action_queue actions_;
  packet_queue queue_;
  packet_sender packets_;
  error_sender errors_;
  netstack::datagrams datagrams_;
  tcp_flows flows_;
  time_point now_;
  bool frames_taken_ = false;
  bool queue_first_ = true;  // packets and segments take turns
};

}  // namespace netstack
