#include "netstack/stack/flow_sender.hpp"

#include <cstdint>
#include <optional>
#include <utility>

#include "netstack/ethernet.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/stack/frame.hpp"
#include "netstack/stack/neighbours.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

void flow_sender::remove(std::uint32_t flow) {
  order_.remove(flow);
  held_up_.remove(flow);
  if (sending_ == flow && frames_.in_progress()) frames_.drop();
}

std::optional<std::uint32_t> flow_sender::next() {
  while (const auto flow = order_.current())
    if (!hold_up(*flow)) return flow;
  return std::nullopt;
}

void flow_sender::start(std::uint32_t flow, const tcp::outgoing& segment) {
  sending_ = flow;
  frames_.start(segment, flows_[flow].key);
}

bool flow_sender::take(frame_out& to, time_point now) {
  const auto& key = flows_[sending_].key;
  const auto* at = neighbours_.find(key.vm.address);
  if (at == nullptr) {
    let_wait(key, now);
    return false;
  }
  frames_.take(to, *at, links_.find(at->link), packets_.next_id());
  order_.sent(sending_, to.size);
  return true;
}

bool flow_sender::hold_up(std::uint32_t flow) {
  if (!links_.any_blocked()) return false;
  const auto* at = neighbours_.find(flows_[flow].key.vm.address);
  if (at == nullptr || !links_.is_blocked(at->link)) return false;
  order_.remove(flow);
  held_up_.push_back(flow);
  return true;
}

void flow_sender::let_go() {
  while (const auto flow = held_up_.front()) {
    held_up_.remove(*flow);
    order_.add(*flow);
  }
}

void flow_sender::let_wait(const flow_key& key, time_point now) {
  frame_out frame;
  while (frames_.in_progress()) {
    frames_.take(frame, {}, {}, packets_.next_id());
    if (frame.size > ethernet::header_size + settings_.mtu) continue;
    neighbours::packet packet;
    packet.reserve(frame.size);
    for (const auto& part : frame.parts) packet.insert(packet.end(), part.begin(), part.end());
    packet.erase(packet.begin(), packet.begin() + ethernet::header_size);
    static_cast<void>(neighbours_.wait_for(key.vm.address, std::move(packet), now));
  }
  order_.sent(sending_, 1);
}

}  // namespace netstack
