// scan_budget: limits scans, and the work that follows from them, to a tenth of a processor in the long run, for any
// number of events. Quiet times save budget for a burst, so that the first events after them are seen at once. Pure:
// both times are arguments.
//
// While scans change nothing, the gap between them doubles up to half a second: an engine that opens a thousand sockets
// of its own costs two scans a second, not fifty. A scan with a change, or a second without a scan, ends the gap.
#pragma once

#include <chrono>

namespace host_sockets {

class scan_budget {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::steady_clock::duration;

  // A scan begins at `now`, when the program has used `used` of processor time.
  void scan(time_point now, duration used);
  // Whether that scan changed the published ports.
  void note_result(bool changed);
  // The earliest time for the next scan.
  [[nodiscard]] time_point next(time_point now, duration used) const;

 private:
  [[nodiscard]] duration savings(time_point now, duration used) const;
  [[nodiscard]] duration gap() const;

  time_point last_{};
  duration used_{};
  duration saved_{};   // at the last scan; negative: overdrawn
  int fruitless_ = 0;  // scans in a row
};

}  // namespace host_sockets
