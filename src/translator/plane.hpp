// plane: the data plane of the virtual network: the stack, the links and the host's sockets, on one loop. Owned by
// translator; every member is used in the loop's turns only.
//
// A turn: links pass their frames to the stack, sockets their bytes. The stack's actions are carried out immediately.
// At the end of the turn all frames toward the VMs are sent, with one write for each link. finish_turn() returns the
// time of the next turn that no event starts.
#pragma once

#include <map>
#include <memory>

#include "net/listen_key.hpp"
#include "relay/port_status.hpp"
#include "translator/dns_port.hpp"
#include "translator/echo_flows.hpp"
#include "translator/exposed_tcp.hpp"
#include "translator/exposed_udp.hpp"
#include "translator/link_ports.hpp"
#include "translator/tcp_flows.hpp"
#include "translator/udp_flows.hpp"

namespace translator {

struct plane_options {
  netstack::stack_settings stack;
  source_address sources = source_address::gateway;
  std::vector<net::cidr> vm_networks;  // see client_source
  // A VM whose link returns within it keeps its connections; after it they are reset.
  std::chrono::milliseconds grace_of_a_lost_link{10'000};
};

class plane {
 public:
  plane(os::event_loop& loop, counters& count, relay::descriptor_budget& budget, plane_options options,
        base::unique_fd dns);
  ~plane();
  plane(const plane&) = delete;
  plane& operator=(const plane&) = delete;

  void add_service(std::uint16_t port, service to) { tcp_.add_service(port, std::move(to)); }
  // Takes a bound socket; a TCP socket also listens. The error has the kernel's code.
  base::result<> expose(const net::listen_key& key, base::unique_fd fd, netstack::endpoint vm);
  void stop(const net::listen_key& key);
  base::result<> add_link(any_link link, silence of_peer, std::function<void(base::error)> over);
  void record(std::optional<pcap_file> to) { links_.record(std::move(to)); }
  [[nodiscard]] bool is_recording() const { return links_.is_recording(); }
  void set_search_domains(const std::vector<std::string>& domains) { stack_.set_search_domains(domains); }
  [[nodiscard]] std::vector<link_status> links() const { return links_.status(); }
  [[nodiscard]] std::vector<links::mac_table::station> stations() const { return links_.stations(); }
  [[nodiscard]] std::vector<relay::port_status> ports() const;  // in the order of their keys
  [[nodiscard]] const netstack::stack& stack() const { return stack_; }

  [[nodiscard]] netstack::time_point finish_turn();

 private:
  bool process();  // whether it has done anything
  void on_datagram(const netstack::action::datagram& d);
  void expire();

  shared common_;
  netstack::stack stack_;
  netstack::endpoint dns_service_;
  client_source sources_;
  relay::datagram_batch batch_;
  tcp_flows tcp_;
  udp_flows udp_;
  udp_clients clients_;
  echo_flows echo_;
  dns_port dns_;
  link_ports links_;
  std::map<net::listen_key, std::unique_ptr<exposed_port>> exposed_;
  std::chrono::milliseconds grace_of_a_lost_link_;
  netstack::time_point without_link_;   // when the last link ended, or the start; max() while there is one
  netstack::time_point look_for_lost_;  // when to look for VMs without a link; max() for never
};

}  // namespace translator
