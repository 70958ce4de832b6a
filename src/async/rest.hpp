// rest: how long work that repeats pauses after each turn, so that it takes a bounded share of the time. Pure.
#pragma once

#include <algorithm>

#include "async/clock.hpp"

namespace async {

struct rest_limits {
  int share;  // times the duration of the work
  clock::duration least, most;
};

// The pause after a turn that took `work`. It has an upper limit because the machine may have been suspended in the
// turn, for hours.
[[nodiscard]] constexpr clock::duration rest_after(clock::duration work, const rest_limits& limits) {
  return std::clamp(std::min(work, limits.most) * limits.share, limits.least, limits.most);
}

}  // namespace async
