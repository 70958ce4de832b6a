// udp_relay: the UDP half of one data-plane thread. Every client of a listener is a flow with its own socket toward the
// target, so each reply finds its client, and leaves from the address that the client wrote to. A flow ends after
// `idle` without a datagram, with its listener, or when flow_table chooses it to make room. In the loop's turns only.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "os/event_loop.hpp"
#include "relay/counters.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/flow_table.hpp"
#include "relay/port_traffic.hpp"

namespace relay {

struct udp_limits {
  std::chrono::milliseconds idle{90'000};
  std::size_t flows = 16'384;  // of one thread; fewer if the process has few descriptors
};

class datagram_batch;
class udp_flow;
class udp_listener;

class udp_relay {
 public:
  udp_relay(os::event_loop& loop, counters& count, descriptor_budget& budget, udp_limits limits);
  udp_relay(const udp_relay&) = delete;
  udp_relay& operator=(const udp_relay&) = delete;
  ~udp_relay();

  // A handler for a bound socket; the caller owns it, and its flows end with it. They are counted in `traffic`.
  [[nodiscard]] base::result<std::unique_ptr<os::event_handler>> listen(
      base::unique_fd fd, const net::endpoint& target,
      std::shared_ptr<port_traffic> traffic = std::make_shared<port_traffic>());

 private:
  friend class udp_flow;
  friend class udp_listener;
  using flows = flow_table<udp_flow>;
  datagram_batch& batch();
  [[nodiscard]] descriptor_lease make_room(const flows::key& newcomer);
  udp_flow* keep(const flows::key& id, std::unique_ptr<udp_flow> flow);
  bool end_one_for(const flows::key& newcomer);
  void end_flows_of(const udp_listener* listener);
  void end(flows::entry& flow);
  [[nodiscard]] bool expire();

  os::event_loop& loop_;
  counters& count_;
  descriptor_budget& budget_;
  udp_limits limits_;
  flows flows_;
  bool ticking_ = false;                   // expire() runs
  std::unique_ptr<datagram_batch> batch_;  // made with the first datagram
};

}  // namespace relay
