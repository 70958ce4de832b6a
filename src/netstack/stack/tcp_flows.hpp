// tcp_flows: the TCP connections between the VMs and the owner's sockets. It finds the flow of a segment, creates and
// ends flows within the limits, turns the events of a connection into actions, and takes segments in fair order. Owned
// by the stack.
//
// Theory of operation. A flow (flow_list) is
//   owned     the owner knows its id; its calls reach it
//   orphaned  the owner has received the end (reset, refused, closed) or caused it (abort, connect_failed); TCP sends
//             what remains, then the place is free
// A flow with an event is touched; settle() gives the owner the events of touched flows, once per batch. flow_opener
// starts the connections, flow_sender takes their segments, flow_room shares out windows and rings.
//
// Bounds: stack_limits::time_wait, where the oldest is forgotten: its VM has all bytes. All others are counted:
// stack_limits::flows, where a connection in TIME_WAIT makes room first and then a SYN is refused;
// half_open, where the oldest is dropped silently (its VM, if alive, sends its SYN again); and memory. receive_memory:
// the windows shrink with the number of flows, and beyond the bound a flow whose owner is behind gets no more payload,
// as if it were lost; the acknowledgement and window of such a segment count. send_memory: beyond it no send ring
// grows, and each flow keeps a small one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "netstack/stack/action_queue.hpp"
#include "netstack/stack/destination.hpp"
#include "netstack/stack/error_sender.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/flow_list.hpp"
#include "netstack/stack/flow_opener.hpp"
#include "netstack/stack/flow_room.hpp"
#include "netstack/stack/flow_sender.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/stack/index_list.hpp"
#include "netstack/stack/links.hpp"
#include "netstack/stack/timer_queue.hpp"
#include "netstack/tcp/connection.hpp"

namespace netstack {

class tcp_flows {
 public:
  // The parts of the stack that the flows use. All of them outlive the flows.
  struct surroundings {
    const stack_settings& settings;
    statistics& counted;
    action_queue& actions;
    error_sender& errors;
    packet_sender& packets;
    neighbours& all_neighbours;
    links& all_links;
  };

  explicit tcp_flows(const surroundings& around);
  tcp_flows(const tcp_flows&) = delete;
  tcp_flows& operator=(const tcp_flows&) = delete;

  // From the VM.
  void on_segment(const ipv4::packet& packet, const tcp::segment& s, const destination& where, time_point now);
  void on_unreachable(const icmp::message& error, const icmp::quoted_packet& about, time_point now);
  void settle(time_point now);
  void keep_arrived();

  // From the owner; see stack.hpp.
  void connected(flow_id id, time_point now);
  void connect_failed(flow_id id, int error, time_point now);
  [[nodiscard]] std::optional<flow_id> open(endpoint from, endpoint to, time_point now);
  [[nodiscard]] std::span<const bytes_view> arrived(flow_id id) const;
  void consumed(flow_id id, std::size_t bytes, time_point now);
  [[nodiscard]] std::array<bytes_span, 2> send_room(flow_id id);
  void written(flow_id id, std::size_t bytes, time_point now);
  void finish(flow_id id, time_point now);
  void finish_with_reset(flow_id id, time_point now);
  void abort(flow_id id);

  [[nodiscard]] bool next_frame(frame_out& to, time_point now);
  // A link that was blocked takes frames again, has gone, or has lost a VM to another one.
  void let_go() { sender_.let_go(); }
  [[nodiscard]] bool holds_up() const { return sender_.holds_up(); }
  void release_frames() { sender_.release_frames(); }
  [[nodiscard]] time_point wake_at() const { return timers_.earliest(); }
  void on_time(time_point now);

  [[nodiscard]] std::size_t size() const { return flows_.size(); }
  [[nodiscard]] std::size_t half_open() const { return half_open_.size(); }
  [[nodiscard]] std::size_t memory() const { return send_memory_ + receive_memory_; }

 private:
  void free(std::uint32_t index, time_point now);
  void orphan(std::uint32_t index);

  void on_first_segment(const ipv4::packet& packet, const tcp::segment& s, const destination& where, time_point now);
  [[nodiscard]] bool has_room(time_point now);
  void take_syn(const ipv4::packet& packet, const tcp::segment& s, const destination& where, time_point now);
  [[nodiscard]] bool is_refused(const destination& where, std::uint16_t port);
  [[nodiscard]] std::optional<endpoint> source_of(endpoint from, endpoint to, time_point now);
  void refuse_open(std::uint32_t index, std::errc reason, time_point now);
  void evict_half_open(time_point now);

  void touch(std::uint32_t index);
  void changed(std::uint32_t index);  // touched, and may have something to send
  void report(std::uint32_t index, const tcp::events& e);
  void report_end(std::uint32_t index, const tcp::events& e);
  void forget_time_wait(std::size_t most, time_point now);
  void update(std::uint32_t index);
  void count_memory(flow& f, std::size_t send, std::size_t receive);
  [[nodiscard]] bool is_full_for(const flow& f, const tcp::segment& s) const;

  surroundings around_;
  flow_list flows_;
  timer_queue timers_;
  flow_room room_;
  flow_opener opener_;
  flow_sender sender_;
  index_list half_open_;
  index_list time_wait_;
  index_list unconsumed_;  // flows with bytes in the batch's frames
  std::vector<std::uint32_t> touched_;
  std::size_t send_memory_ = 0;
  std::size_t receive_memory_ = 0;
};

}  // namespace netstack
