// shared: what all parts of the data plane use. Owned by plane; loop thread only, except for the counters.
#pragma once

#include <atomic>
#include <cstdint>

#include "netstack/stack/stack.hpp"
#include "os/event_loop.hpp"
#include "relay/descriptor_budget.hpp"

namespace translator {

// The counters of the host's side. Written by the loop's thread, read by any thread.
struct counters {
  using number = std::atomic<std::uint64_t>;
  number connections{0};        // TCP, now
  number connects_refused{0};   // for lack of descriptors
  number accepted{0};           // clients of exposed TCP ports
  number clients_refused{0};    // of these: beyond a share, refused by the VM, or while there is no link
  number udp_flows{0};          // now, both directions
  number udp_flows_evicted{0};  // ended to make room for a newer one
  number datagrams_dropped{0};  // at a full socket or a bound
  number echo_flows{0};         // now
  number questions_dropped{0};  // DNS questions that the control thread did not accept in time
  number links{0};              // now
  number frames_flooded{0}, frames_switched{0}, frames_unknown{0};  // between VMs
  number frames_refused{0};  // a source that is not the sender's, or a virtio-net header that cannot be the frame's
  number frames_cut{0};      // between VMs: into segments, for a link without offload
};

struct shared {
  os::event_loop& loop;
  netstack::stack& stack;
  relay::descriptor_budget& budget;
  counters& count;

  [[nodiscard]] netstack::time_point now() const { return loop.now(); }
};

inline void increment(counters::number& to, std::uint64_t amount = 1) {
  to.fetch_add(amount, std::memory_order_relaxed);
}
inline void decrement(counters::number& from) { from.fetch_sub(1, std::memory_order_relaxed); }

}  // namespace translator
