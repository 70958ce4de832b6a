// tcp_flows: the TCP connections between the VMs and the owner's sockets. It finds the flow of a segment, creates and
// ends flows within the limits, turns the events of a connection into actions, and takes segments in fair order. Owned
// by the stack.
//
// Theory of operation. A flow is a place in a list that grows to the largest number of simultaneous flows; places are
// reused with another generation. A flow is
//   owned     the owner knows its id; its calls reach it
//   orphaned  the owner has received the end (reset, refused, closed) or caused it (abort, connect_failed); TCP sends
//             what remains, then the place is free
// A flow with an event is touched; settle() gives the owner the events of touched flows, once per batch. A flow that
// may have something to send is in send_order until its connection has nothing to send. If its link accepts no frames,
// it is held up instead.
//
// Bounds: stack_limits::time_wait, where the oldest is forgotten: its VM has all bytes. All others are counted:
// stack_limits::flows, where a connection in TIME_WAIT makes room first and then a SYN is refused;
// half_open, where the oldest is dropped silently (its VM, if alive, sends its SYN again); and memory. receive_memory:
// the windows shrink with the number of flows, and beyond the bound a flow whose owner is behind gets no more payload,
// as if it were lost; the acknowledgement and window of such a segment count. send_memory: beyond it no send ring
// grows, and each flow keeps a small one.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "netstack/stack/action_queue.hpp"
#include "netstack/stack/destination.hpp"
#include "netstack/stack/error_sender.hpp"
#include "netstack/stack/flow_room.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/stack/links.hpp"
#include "netstack/stack/segment_frames.hpp"
#include "netstack/stack/send_order.hpp"
#include "netstack/stack/source_ports.hpp"
#include "netstack/stack/timer_queue.hpp"
#include "netstack/tcp/connection.hpp"
#include "netstack/tcp/initial_sequence.hpp"

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
  void let_go();
  [[nodiscard]] bool holds_up() const { return held_up_.size() > 0; }
  void release_frames() { frames_.release(); }
  [[nodiscard]] time_point wake_at() const { return timers_.earliest(); }
  void on_time(time_point now);

  [[nodiscard]] std::size_t size() const { return table_.size(); }
  [[nodiscard]] std::size_t half_open() const { return half_open_.size(); }
  [[nodiscard]] std::size_t memory() const { return send_memory_ + receive_memory_; }

 private:
  struct flow {
    std::uint32_t generation = 0;
    flow_key key;
    std::unique_ptr<tcp::connection> machine;  // null: the place is free
    tcp::sequence syn;                         // of the VM's SYN
    time_point give_up = time_point::max();    // open(): when the VM has not answered
    std::size_t send_memory = 0;               // as counted in send_memory_
    std::size_t receive_memory = 0;            // as counted in receive_memory_
    std::size_t window = 0;                    // as last set
    bool owned = false;
    bool is_opening = false;  // open() is not answered yet
    bool is_ours = false;     // by open()
    bool finished = false;    // action::finished was given
    bool is_behind = false;   // the owner has not consumed bytes of an earlier batch
    bool touched = false;
    bool large_window = false;
  };

  [[nodiscard]] flow* find(flow_id id);
  [[nodiscard]] const flow* find(flow_id id) const;
  [[nodiscard]] std::uint32_t begin(const flow_key& key);
  void free(std::uint32_t index, time_point now);
  void orphan(std::uint32_t index);
  [[nodiscard]] flow_id id_of(std::uint32_t index) const { return {index, flows_[index].generation}; }

  void on_first_segment(const ipv4::packet& packet, const tcp::segment& s, const destination& where, time_point now);
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
  [[nodiscard]] tcp::limits limits_for(ipv4::address vm) const;
  [[nodiscard]] bool hold_up(std::uint32_t index);
  void let_wait(const flow_key& key, time_point now);

  surroundings around_;
  keyed_hash hash_;
  tcp::initial_sequence numbers_;
  flow_table table_;
  source_ports ports_;
  timer_queue timers_;
  send_order order_;
  flow_room room_;
  segment_frames frames_;
  std::uint32_t sending_ = 0;  // whose segment is in frames_
  std::deque<flow> flows_;
  std::vector<std::uint32_t> free_;
  index_list half_open_;
  index_list time_wait_;
  index_list unconsumed_;  // flows with bytes in the batch's frames
  index_list held_up_;     // flows that may have something to send, on a link that is blocked
  std::vector<std::uint32_t> touched_;
  std::size_t send_memory_ = 0;
  std::size_t receive_memory_ = 0;
};

}  // namespace netstack
