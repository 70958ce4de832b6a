// clock: the time by which everything in the control thread waits. It is the monotonic one; a test may let time pass
// without waiting for it. Its points in time are those of std::chrono::steady_clock, so that what takes time as an
// argument need not know of it.
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

  // For tests: this much later for everybody at once. Timers that are due by it go off when the loop looks at its
  // timers next (support::event_loop::pass_time makes it look).
  static void advance(duration amount) { passed_ += amount.count(); }

 private:
  static inline std::atomic<rep> passed_{0};
};

using timer = boost::asio::basic_waitable_timer<clock>;

}  // namespace async
