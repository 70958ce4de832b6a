#include "sources/host_sockets/scan_budget.hpp"

#include <algorithm>

namespace host_sockets {
namespace {

using namespace std::chrono_literals;

constexpr int share = 10;  // one part of so many
constexpr auto most_saved = 100ms;
constexpr auto least_gap = 2ms, longest_gap = 500ms;
constexpr auto quiet = 2 * longest_gap;  // after which a burst is over
constexpr int most_counted = 64;
constexpr int free_scans = 4;  // an event's scan and its rescans

}  // namespace

scan_budget::duration scan_budget::savings(time_point now, duration used) const {
  const duration earned = std::min<duration>(most_saved, saved_ + (now - last_) / share);
  return earned - (used - used_);
}

scan_budget::duration scan_budget::gap() const {
  const int doublings = std::clamp(fruitless_ - free_scans, 0, 8);
  return std::min<duration>(least_gap * (1 << doublings), longest_gap);
}

void scan_budget::scan(time_point now, duration used) {
  if (now - last_ >= quiet) fruitless_ = 0;
  saved_ = std::max<duration>(savings(now, used), -most_saved);
  last_ = now;
  used_ = used;
}

void scan_budget::note_result(bool changed) { fruitless_ = changed ? 0 : std::min(fruitless_ + 1, most_counted); }

scan_budget::time_point scan_budget::next(time_point now, duration used) const {
  const auto overdrawn = std::max<duration>(0ms, -savings(now, used));
  return std::max(now, std::clamp<time_point>(now + overdrawn * share, last_ + gap(), last_ + longest_gap));
}

}  // namespace host_sockets
