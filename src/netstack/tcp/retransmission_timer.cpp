#include "netstack/tcp/retransmission_timer.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>

#include "netstack/time_point.hpp"

namespace netstack::tcp {
namespace {

using std::chrono::milliseconds;

constexpr duration granularity = milliseconds(1);
constexpr duration delayed_acknowledgement = milliseconds(45);  // Linux: 40 ms
constexpr duration least_probe = milliseconds(5);
constexpr unsigned most_doublings = 9;  // 200 ms × 2^9 exceeds the maximum

}  // namespace

void retransmission_timer::measured(duration round_trip) {
  round_trip = std::max(round_trip, duration(1));
  shortest_ = std::min(shortest_, round_trip);
  if (!has_measured()) {
    smoothed_ = round_trip;
    variation_ = round_trip / 2;
    return;
  }
  variation_ = (3 * variation_ + std::chrono::abs(smoothed_ - round_trip)) / 4;
  smoothed_ = (7 * smoothed_ + round_trip) / 8;
}

void retransmission_timer::back_off() { doublings_ = std::min(doublings_ + 1, most_doublings); }

duration retransmission_timer::timeout() const {
  const auto once =
      has_measured() ? std::clamp(smoothed_ + std::max(granularity, 4 * variation_), least, most) : initial;
  return std::min(once * (1U << doublings_), most);
}

duration retransmission_timer::probe_timeout(bool alone) const {
  const auto wait = 2 * smoothed_ + (alone ? delayed_acknowledgement : least_probe);
  return has_measured() ? std::min(wait, timeout()) : timeout();
}

time_point retransmission_timer::window_probe_at(time_point now) const {
  const auto end = now + timeout();
  const auto half = std::chrono::duration_cast<std::chrono::seconds>(timeout() / 2).count();
  if (half < 1) return end;
  const std::chrono::seconds step(std::bit_floor(static_cast<std::uint64_t>(half)));
  return end - end.time_since_epoch() % step;
}

}  // namespace netstack::tcp
