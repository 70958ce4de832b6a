#include "netstack/stack/source_ports.hpp"

#include <utility>

namespace netstack {

std::optional<std::uint16_t> source_ports::choose(ipv4::address from, endpoint to, const flow_table& in_use,
                                                  time_point now) {
  end_rests(now);
  const auto start = hash_(std::uint64_t{to.address.value} << 32U | from.value, to.port);
  auto& counter = counters_[start % most_counters];
  std::optional<std::uint16_t> resting;
  std::uint32_t longest = 0;
  for (std::uint32_t tried = 0; tried < count; ++tried) {
    const auto port = static_cast<std::uint16_t>(first_port + (start + counter++) % count);
    const flow_key flow{.vm = to, .peer = {from, port}};
    if (in_use.find(flow)) continue;
    const auto number = resting_.find(flow);
    if (!number) return port;
    const auto age = end_ - *number;
    if (age > longest) resting = port, longest = age;
  }
  return resting;
}

void source_ports::release(const flow_key& flow, time_point now) {
  end_rests(now);
  if (resting_.find(flow)) return;
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

void source_ports::end_rests(time_point now) {
  while (begin_ != end_ && queue_[begin_ % queue_.size()].when + rest <= now) end_first_rest();
}

void source_ports::end_first_rest() { resting_.remove(queue_[begin_++ % queue_.size()].flow); }

}  // namespace netstack
