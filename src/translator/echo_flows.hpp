// echo_flows: the VM's pings of other hosts, by unprivileged echo sockets (net.ipv4.ping_group_range; icmp(7)). One
// socket for each address and id of the VM. If the host does not permit them, echo requests are not answered, and the
// log says so once. Owned by plane; loop thread only.
//
// Bound: most_flows sockets; beyond it the longest idle one is closed. So is a socket that is idle for 30 s.
#pragma once

#include <chrono>
#include <deque>
#include <list>
#include <memory>

#include "base/episode.hpp"
#include "base/unique_fd.hpp"
#include "translator/shared.hpp"

namespace translator {

class echo_flow;

class echo_flows {
 public:
  static constexpr std::size_t most_flows = 64;
  static constexpr std::chrono::seconds idle{30};

  // `gateway`: the source of errors if this host's kernel refuses a request.
  echo_flows(shared& common, netstack::ipv4::address gateway);
  ~echo_flows();
  echo_flows(const echo_flows&) = delete;
  echo_flows& operator=(const echo_flows&) = delete;

  void on(const netstack::action::echo& a);
  [[nodiscard]] netstack::time_point wake_at() const;  // max() for never
  void expire();
  [[nodiscard]] shared& common() { return common_; }
  [[nodiscard]] netstack::ipv4::address gateway() const { return gateway_; }

 private:
  using list = std::list<std::unique_ptr<echo_flow>>;
  [[nodiscard]] echo_flow* flow_of(const netstack::action::echo& a);
  void end(list::iterator at);

  shared& common_;
  netstack::ipv4::address gateway_;
  list flows_;  // the longest idle one first
  base::log::throttle denied_;
};

}  // namespace translator
