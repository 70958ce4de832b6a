#include "sources/listeners/look_pace.hpp"

#include <algorithm>

namespace listeners {
namespace {

using namespace std::chrono_literals;

constexpr int share = 10;  // one part in so many
constexpr auto most_saved = 100ms;
constexpr auto least_gap = 2ms, longest_gap = 500ms;

}  // namespace

look_pace::duration look_pace::savings(time_point now, duration used) const {
  const duration earned = std::min<duration>(most_saved, saved_ + (now - last_) / share);
  return earned - (used - used_);
}

void look_pace::look(time_point now, duration used) {
  saved_ = std::max<duration>(savings(now, used), -most_saved);
  last_ = now;
  used_ = used;
}

look_pace::time_point look_pace::next(time_point now, duration used) const {
  const auto overdrawn = std::max<duration>(0ms, -savings(now, used));
  return std::max(now, std::clamp(now + overdrawn * share, last_ + least_gap, last_ + longest_gap));
}

}  // namespace listeners
