#include "netstack/stack/source_ports.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/stack/flow_table.hpp"
#include "netstack/time_point.hpp"

namespace netstack {
namespace {

// Seconds are counted from 1 to `seconds` and then again. A release that many seconds ago looks like a new one: its
// port rests once more, which harms nothing.
constexpr std::uint32_t seconds = 65'535;

std::uint16_t second_of(time_point now) {
  const auto since = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return static_cast<std::uint16_t>(since % seconds + 1);
}

std::uint32_t seconds_between(std::uint16_t then, std::uint16_t now) { return (seconds + now - then) % seconds; }

}  // namespace

std::uint64_t source_ports::hash_of(ipv4::address from, endpoint to) const {
  return hash_(std::uint64_t{to.address.value} << 32U | from.value, to.port);
}

std::optional<std::uint16_t> source_ports::choose(ipv4::address from, endpoint to, const flow_table& in_use,
                                                  time_point now) {
  constexpr auto consecutive = most_tries / 2;
  const auto start = hash_of(from, to);
  const auto second = second_of(now);
  auto& counter = counters_[start % most_counters];
  std::optional<std::uint16_t> best;
  std::uint32_t longest = 0, passed = 0;
  for (std::uint32_t tried = 0; tried < most_tries && longest <= rest.count(); ++tried) {
    const auto place = tried < consecutive ? start + counter + tried : hash_(start + counter, tried);
    const auto port = static_cast<std::uint16_t>(first_port + place % count);
    if (in_use.find({.vm = to, .peer = {from, port}})) continue;
    const auto then = released_[(start + port) % places];
    const auto rested = then == 0 ? seconds : seconds_between(then, second);
    if (best && rested <= longest) continue;
    best = port;
    longest = rested;
    passed = tried < consecutive ? tried : 0;
  }
  counter += passed + 1;
  return best;
}

void source_ports::release(const flow_key& flow, time_point now) {
  released_[(hash_of(flow.peer.address, flow.vm) + flow.peer.port) % places] = second_of(now);
}

}  // namespace netstack
