// flow_sender: the flow that sends next, and its segments as frames. Owned by tcp_flows.
//
// Theory of operation. A flow that may have something to send is in send_order until its connection has nothing to
// send. While its link accepts no frames, it is held up instead: outside the order, where it costs the others nothing.
// Without a location of the VM, a SYN and other small segments wait with the neighbours; the rest is dropped, and TCP
// sends it again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "netstack/stack/flow_list.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/stack/index_list.hpp"
#include "netstack/stack/links.hpp"
#include "netstack/stack/neighbours.hpp"
#include "netstack/stack/packet_sender.hpp"
#include "netstack/stack/segment_frames.hpp"
#include "netstack/stack/send_order.hpp"
#include "netstack/stack/settings.hpp"

namespace netstack {

class flow_sender {
 public:
  // All of these outlive it.
  flow_sender(const stack_settings& settings, const flow_list& flows, packet_sender& packets,
              neighbours& all_neighbours, const links& all_links)
      : settings_(settings),
        flows_(flows),
        packets_(packets),
        neighbours_(all_neighbours),
        links_(all_links),
        frames_(settings.gateway_mac) {}

  // The flow may have something to send; it has nothing more at the moment; it is gone.
  void add(std::uint32_t flow) { order_.add(flow); }
  void done(std::uint32_t flow) { order_.done(flow); }
  void remove(std::uint32_t flow);

  // Whether a segment was not taken completely. Without one: the flow whose turn it is, which starts a segment or is
  // done. nullopt: none has anything to send.
  [[nodiscard]] bool in_progress() const { return frames_.in_progress(); }
  [[nodiscard]] std::optional<std::uint32_t> next();
  void start(std::uint32_t flow, const tcp::outgoing& segment);
  // Takes the next frame of the segment. False: the VM has to be located first; the segment is not in progress anymore.
  [[nodiscard]] bool take(frame_out& to, time_point now);
  // The frames have been written.
  void release_frames() { frames_.release(); }

  // A link that was blocked accepts frames again, has gone, or has lost a VM to another one.
  void let_go();
  [[nodiscard]] bool holds_up() const { return held_up_.size() > 0; }

 private:
  [[nodiscard]] bool hold_up(std::uint32_t flow);
  void let_wait(const flow_key& key, time_point now);

  const stack_settings& settings_;
  const flow_list& flows_;
  packet_sender& packets_;
  neighbours& neighbours_;
  const links& links_;
  send_order order_;
  index_list held_up_;
  segment_frames frames_;
  std::uint32_t sending_ = 0;  // whose segment is in frames_
};

}  // namespace netstack
