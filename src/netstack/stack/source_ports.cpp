#include "netstack/stack/source_ports.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/time_point.hpp"

namespace netstack {

std::optional<std::uint16_t> source_ports::choose(ipv4::address from, endpoint to, const flow_table& in_use,
                                                  time_point now) {
  end_rests(now);
  const auto start = hash_(std::uint64_t{to.address.value} << 32U | from.value, to.port);
  auto& counter = counters_[start % most_counters];
  std::optional<std::uint16_t> resting;
  std::uint32_t longest = 0;
  for (std::uint32_t tried = 0; tried < most_tries; ++tried) {
    const auto place = tried < most_tries / 2 ? start + counter++ : hash_(start + counter, tried);
    const auto port = static_cast<std::uint16_t>(first_port + place % count);
    const flow_key flow{.vm = to, .peer = {from, port}};
    if (in_use.find(flow)) continue;
    const auto number = resting_.find(flow);
    if (!number) return port;
    const auto age = end_ - *number;
    if (age > longest) resting = port, longest = age;
  }
  const auto oldest = oldest_at_rest(from, to, in_use);
  return oldest ? oldest : resting;
}

std::optional<std::uint16_t> source_ports::oldest_at_rest(ipv4::address from, endpoint to,
                                                          const flow_table& in_use) const {
  const auto end = begin_ + std::min(end_ - begin_, most_tries);
  for (auto number = begin_; number != end; ++number) {
    const auto& flow = queue_[number % queue_.size()].flow;
    if (flow.vm == to && flow.peer.address == from && resting_.find(flow) == number && !in_use.find(flow))
      return flow.peer.port;
  }
  return std::nullopt;
}

void source_ports::release(const flow_key& flow, time_point now) {
  end_rests(now);
  if (resting_.find(flow)) resting_.remove(flow);  // it was used while it rested: the rest starts over
  if (end_ - begin_ == most_resting) end_first_rest();
  if (end_ - begin_ == queue_.size()) {
    std::vector<released> larger(queue_.empty() ? 64 : queue_.size() * 2);
    for (auto number = begin_; number != end_; ++number)
      larger[number % larger.size()] = queue_[number % queue_.size()];
    queue_ = std::move(larger);
  }
  queue_[end_ % queue_.size()] = {flow, now};
  resting_.add(flow, end_++);
}

// Also removes releases at the front that a later release of the same flow has replaced.
void source_ports::end_rests(time_point now) {
  while (begin_ != end_) {
    const auto& first = queue_[begin_ % queue_.size()];
    if (first.when + rest > now && resting_.find(first.flow) == begin_) return;
    end_first_rest();
  }
}

void source_ports::end_first_rest() {
  const auto& first = queue_[begin_ % queue_.size()].flow;
  if (resting_.find(first) == begin_) resting_.remove(first);
  ++begin_;
}

}  // namespace netstack
