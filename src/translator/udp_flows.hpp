// udp_flows: the host's sockets for the VM's UDP, one for each of its source ports. Owned by plane; loop thread only.
//
// Bounds: most_flows, and the flows' share of the process's descriptors. At either bound the longest idle flow is
// closed, and counted. So is a flow that is idle for 90 s.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "relay/datagram_batch.hpp"
#include "translator/udp_flow.hpp"

namespace translator {

inline constexpr std::chrono::seconds udp_idle{90};

class udp_flows {
 public:
  static constexpr std::size_t most_flows = 4'096;

  udp_flows(shared& common, relay::datagram_batch& batch) : common_(common), batch_(batch) {}
  ~udp_flows();
  udp_flows(const udp_flows&) = delete;
  udp_flows& operator=(const udp_flows&) = delete;

  // Collects the datagram, whose bytes stay until settle().
  void on(const netstack::action::datagram& d);
  // Sends the collected datagrams, and reports to the stack which of them the kernel refused.
  void settle();

  [[nodiscard]] netstack::time_point wake_at() const;  // max() for never
  void expire();
  void end_all();

  // For udp_flow.
  [[nodiscard]] shared& common() { return common_; }
  [[nodiscard]] relay::datagram_batch& batch() { return batch_; }
  [[nodiscard]] outgoing_datagrams::outcome& last_outcome() { return outcome_; }
  void touch(udp_flow& flow);
  struct failure {
    netstack::endpoint vm, asked;
    int error = 0;
  };
  void note_failure(const failure& what);

 private:
  static constexpr std::size_t most_failures = 256;  // per turn; further ones are not reported
  void send_collected();
  [[nodiscard]] udp_flow* flow_of(const netstack::endpoint& vm);
  [[nodiscard]] udp_flow* open(const netstack::endpoint& vm);
  bool end_oldest();
  void end(udp_flow& flow);

  shared& common_;
  relay::datagram_batch& batch_;
  std::unordered_map<std::uint64_t, std::unique_ptr<udp_flow>> flows_;  // by the VM's endpoint
  std::list<udp_flow*> by_use_;                                         // the longest idle one first
  outgoing_datagrams collected_;
  udp_flow* collects_for_ = nullptr;
  bool dont_fragment_ = false;
  outgoing_datagrams::outcome outcome_;
  std::vector<failure> failures_;
};

}  // namespace translator
