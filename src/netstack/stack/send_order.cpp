#include "netstack/stack/send_order.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace netstack {

void send_order::add(std::uint32_t flow) {
  if (fresh_.contains(flow) || bulk_.contains(flow)) return;
  if (flow >= left_.size()) left_.resize(flow + 1);
  left_[flow] = quantum;
  fresh_.push_back(flow);
}

std::optional<std::uint32_t> send_order::current() const {
  const auto first = fresh_.front();
  return first ? first : bulk_.front();
}

void send_order::sent(std::uint32_t flow, std::size_t bytes) {
  if (bytes < left_[flow]) {
    left_[flow] -= bytes;
    return;
  }
  remove(flow);
  left_[flow] = quantum;
  bulk_.push_back(flow);
}

void send_order::done(std::uint32_t flow) {
  const bool waits = fresh_.contains(flow) && bulk_.size() > 0;
  remove(flow);
  if (waits) bulk_.push_back(flow);
}

void send_order::remove(std::uint32_t flow) {
  fresh_.remove(flow);
  bulk_.remove(flow);
}

}  // namespace netstack
