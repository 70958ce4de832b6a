// clock: the clock for all waits in the control thread. It is monotonic, and a test can let time pass without waiting.
// Its time points are those of std::chrono::steady_clock, so code that takes the time as an argument does not depend on
// it.
#pragma once

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <chrono>

namespace async {

class clock {
 public:
  using duration = std::chrono::steady_clock::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr bool is_steady = true;

  static time_point now() { return std::chrono::steady_clock::now() + duration(passed_.load()); }

  // For tests: moves the clock forward for all tasks. Timers that are then due fire when the loop checks its timers
  // next (support::event_loop::pass_time makes it check).
  static void advance(duration amount) { passed_ += amount.count(); }  // NOLINT: tests alone pass time

 private:
  static inline std::atomic<rep> passed_{0};
};

using timer = boost::asio::basic_waitable_timer<clock>;

}  // namespace async
