#include "netstack/stack/flow_room.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "netstack/time_point.hpp"

namespace netstack {

void flow_room::remove(std::uint32_t flow) {
  from_vm_.remove(flow);
  to_vm_.remove(flow);
}

std::size_t flow_room::window(std::uint32_t flow, bool large, std::size_t flows) {
  const auto of_memory = limits_.receive_memory / (flows + 1);
  const auto busy = from_vm_.count();
  const auto of_queue = from_vm_.contains(flow) ? (large ? large_queue : plain_queue) / busy : first_window;
  return std::clamp(std::min(of_memory, of_queue), least_window, large ? large_window : plain_window);
}

std::size_t flow_room::ring() { return std::bit_floor(std::clamp(ring_queue / to_vm_.count(), least_ring, most_ring)); }

std::size_t flow_room::most_ring_of(std::size_t flows) const {
  return std::bit_floor(std::clamp(limits_.send_memory / (flows + 1), least_ring, most_ring));
}

void flow_room::busy_flows::note(std::uint32_t flow, std::size_t bytes, time_point now) {
  latest_ = now;
  if (flow >= uses_.size()) uses_.resize(flow + 1);
  auto& u = uses_[flow];
  if (now - u.since > recent) u = {.since = now, .last = u.last, .bytes = 0};
  u.bytes += bytes;
  if (u.bytes < much || (u.last == now && busy_.contains(flow))) return;
  u.last = now;
  busy_.remove(flow);
  busy_.push_back(flow);
}

std::size_t flow_room::busy_flows::count() {
  for (auto oldest = busy_.front(); oldest && latest_ - uses_[*oldest].last > recent; oldest = busy_.front())
    busy_.remove(*oldest);
  return std::max<std::size_t>(busy_.size(), 1);
}

}  // namespace netstack
