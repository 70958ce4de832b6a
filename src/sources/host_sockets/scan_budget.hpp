// scan_budget: when the sockets may be looked at again, so that looking, and what follows from it, takes no more than a
// tenth of a processor in the long run, however much goes on. A quiet time saves up for a burst, so that what happens
// after it is seen at once. Pure: both times are passed in.
//
// While looks change nothing the gap between them doubles up to half a second: an engine that opens a thousand sockets
// of its own costs two looks a second, not fifty. A look that changes something, or a second without any, ends that.
#pragma once

#include <chrono>

namespace host_sockets {

class scan_budget {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  // A look begins at `now`, with `used` of processor time used by the program until then.
  void scan(time_point now, duration used);
  // Whether that look changed what is published.
  void note_result(bool changed);
  // The earliest time for the next look.
  [[nodiscard]] time_point next(time_point now, duration used) const;

 private:
  [[nodiscard]] duration savings(time_point now, duration used) const;
  [[nodiscard]] duration gap() const;

  time_point last_{};
  duration used_{};
  duration saved_{};   // at the last look; negative: overdrawn
  int fruitless_ = 0;  // looks in a row
};

}  // namespace host_sockets
