// tcp_flows: the host's sockets of all TCP connections, by the stack's flow numbers. It connects for the VM, passes
// connections to services of the control thread, and accepts clients of exposed ports. Owned by plane; loop thread
// only.
//
// A connection of the VM needs one descriptor; without a free one it is refused, and the others are not affected.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/episode.hpp"
#include "net/endpoint.hpp"
#include "translator/tcp_flow.hpp"

namespace translator {

// Accepts the connections of one service at the gateway's address. False: too many of them wait.
using service = std::function<bool(base::unique_fd fd, const net::endpoint& client)>;

class tcp_flows {
 public:
  // `services`: by port of the gateway's address.
  tcp_flows(shared& common, netstack::ipv4::address gateway) : common_(common), gateway_(gateway) {}
  ~tcp_flows();
  tcp_flows(const tcp_flows&) = delete;
  tcp_flows& operator=(const tcp_flows&) = delete;

  void add_service(std::uint16_t port, service to) { services_.emplace_back(port, std::move(to)); }

  void on(const netstack::action::connect& a);
  void on(const netstack::action::established& a);
  void on(const netstack::action::refused& a);
  void on(const netstack::action::readable& a);
  void on(const netstack::action::finished& a);
  void on(const netstack::action::writable& a);
  void on(const netstack::action::reset& a);
  void on(const netstack::action::closed& a);

  // A client of an exposed port. It is reset immediately if the stack has no room for it.
  void open(base::unique_fd client, relay::connection_ticket ticket, netstack::endpoint from, netstack::endpoint to);

  // For tcp_flow.
  void connected(tcp_flow& flow);
  void connect_failed(tcp_flow& flow, int error);
  void end(tcp_flow& flow, bool reset);
  void pull_again(tcp_flow& flow) { again_.push_back(flow.id()); }
  // The host had no memory for the bytes: tries again soon.
  void push_later(tcp_flow& flow);
  [[nodiscard]] shared& common() { return common_; }

  // Continues with the sockets that yielded to others. Returns whether some are left.
  bool run_again();
  [[nodiscard]] netstack::time_point wake_at() const { return push_at_; }  // max() for never
  void expire();
  // Resets every connection: there is no VM.
  void reset_all();
  // Resets the connections of VMs that have had no link for `grace`. Returns when to look again: max() if no VM with
  // connections has lost its link. A client that still waits for the VM has its own limit (stack_settings::open_limit).
  [[nodiscard]] netstack::time_point reset_lost(std::chrono::milliseconds grace);

 private:
  [[nodiscard]] tcp_flow* find(netstack::flow_id id) const;
  tcp_flow& keep(std::unique_ptr<tcp_flow> flow);
  [[nodiscard]] const service* service_at(const netstack::endpoint& to) const;
  void hand_over(const netstack::action::connect& a, const service& to);
  void dial(const netstack::action::connect& a);
  void fail(netstack::flow_id id, int error);
  // Resets a client of an exposed port, and counts it.
  void refuse(tcp_flow& client);
  // To a client of an exposed port a forward that leads nowhere looks like a server that is down: the log says so.
  void explain(const tcp_flow& refused);
  // Whether its VM has no link at the moment; notes since when.
  [[nodiscard]] bool is_lost(tcp_flow& flow) const;

  shared& common_;
  netstack::ipv4::address gateway_;
  std::vector<std::pair<std::uint16_t, service>> services_;
  std::vector<std::unique_ptr<tcp_flow>> flows_;  // by index; may be null
  std::vector<netstack::flow_id> again_;
  std::vector<netstack::flow_id> to_push_;  // at push_at_, each once
  netstack::time_point push_at_ = netstack::time_point::max();
  base::log::throttle no_vm_;
};

[[nodiscard]] net::endpoint to_net(const netstack::endpoint& e);

}  // namespace translator
