// flow_room: how many bytes of a connection may be under way. Owned by tcp_flows; limits alone, it holds no bytes.
//
// Theory of operation. Two kinds of room are shared out, each to those that need it:
// - memory (stack_limits), among all connections there are: it holds even if all of them begin to send at once;
// - the queues on the way, among the connections that carry much now. What the VM sends waits in the queue of its tap
//   interface, 1,000 packets, which drops what is too much. What it gets passes the processor's cache several times if
//   it fits, and memory if not.
// A connection carries much while it moves `much` bytes within `recent`, as of the last bytes of any connection. Idle
// connections take no part of the queues. A connection that has not carried much yet has a small window, so that many
// that begin at the same time do not fill the queues before they are counted.
// Every connection may have `least_window` under way: with hundreds of them the queues may overflow, and TCP slows
// down.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "netstack/stack/index_list.hpp"
#include "netstack/stack/settings.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

class flow_room {
 public:
  static constexpr duration recent = std::chrono::seconds(1);
  static constexpr std::size_t much = std::size_t{32} << 10U;

  static constexpr std::size_t first_window = much;
  static constexpr std::size_t least_window = std::size_t{16} << 10U;
  static constexpr std::size_t plain_window = std::size_t{256} << 10U;
  static constexpr std::size_t large_window = std::size_t{512} << 10U;
  static constexpr std::size_t plain_queue = std::size_t{1} << 20U;
  static constexpr std::size_t large_queue = std::size_t{8} << 20U;

  static constexpr std::size_t least_ring = std::size_t{64} << 10U;
  static constexpr std::size_t most_ring = std::size_t{512} << 10U;
  static constexpr std::size_t ring_queue = std::size_t{8} << 20U;

  explicit flow_room(const stack_limits& limits) : limits_(limits) {}

  // The flow has moved so many bytes: from the VM, or to it.
  void received(std::uint32_t flow, std::size_t bytes, time_point now) { from_vm_.note(flow, bytes, now); }
  void sent(std::uint32_t flow, std::size_t bytes, time_point now) { to_vm_.note(flow, bytes, now); }
  void remove(std::uint32_t flow);

  // What the VM may have under way on this one of `flows` connections; `large`: its link carries large segments.
  [[nodiscard]] std::size_t window(std::uint32_t flow, bool large, std::size_t flows);
  // What may wait for the VM on one of them, and the most that ever may.
  [[nodiscard]] std::size_t ring();
  [[nodiscard]] std::size_t most_ring_of(std::size_t flows) const;

 private:
  // The flows that carry much, the longest silent first.
  class busy_flows {
   public:
    void note(std::uint32_t flow, std::size_t bytes, time_point now);
    void remove(std::uint32_t flow) { busy_.remove(flow); }
    [[nodiscard]] bool contains(std::uint32_t flow) const { return busy_.contains(flow); }
    // At least one: the flow that asks.
    [[nodiscard]] std::size_t count();

   private:
    struct use {
      time_point since;  // of `bytes`
      time_point last;
      std::size_t bytes = 0;
    };
    index_list busy_;
    std::vector<use> uses_;  // by flow
    time_point latest_;
  };

  const stack_limits& limits_;
  busy_flows from_vm_, to_vm_;
};

}  // namespace netstack
