// shortage: when descriptors or memory ran out last, for all threads of a listener_set. An episode is one line in the
// log, however many listeners it affects and however often.
#pragma once

#include <atomic>
#include <chrono>

#include "os/event_loop.hpp"

namespace relay {

class shortage {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds quiet{10};  // an episode has ended after so long without a shortage

  // Notes a shortage. True if it is the first of an episode. From any thread.
  [[nodiscard]] bool begins(os::clock::time_point now) {
    const auto before = last_.exchange(now.time_since_epoch().count(), std::memory_order_relaxed);
    return before == never || now - os::clock::time_point(os::clock::duration(before)) > quiet;
  }

 private:
  static constexpr os::clock::rep never = os::clock::duration::min().count();
  std::atomic<os::clock::rep> last_{never};
};

}  // namespace relay
