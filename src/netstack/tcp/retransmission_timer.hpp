// retransmission_timer: how long to wait for an acknowledgement (RFC 6298), from measured round trips. Owned by
// tcp::sender, which holds the deadline. Round trips of repeated segments are never passed here (Karn).
//
// RFC 6298 requires a minimum of 1 s and permits less; Linux uses 200 ms, which covers its delayed acknowledgements.
#pragma once

#include <chrono>

#include "netstack/time_point.hpp"

namespace netstack::tcp {

class retransmission_timer {
 public:
  static constexpr duration initial = std::chrono::seconds(1);
  static constexpr duration least = std::chrono::milliseconds(200);
  static constexpr duration most = std::chrono::seconds(60);

  void measured(duration round_trip);
  // The wait has expired: the next one is twice as long.
  void back_off();
  // The peer answered.
  void answered() { doublings_ = 0; }

  [[nodiscard]] duration timeout() const;
  // For a probe that is sent before the time-out (RFC 8985, 7.2). `alone`: the peer may delay its acknowledgement.
  [[nodiscard]] duration probe_timeout(bool alone) const;
  // When to probe a closed window. Waits of two seconds and more end early, at whole seconds of the clock (the longer
  // the wait, the fewer), so that many stuck connections wake the process once.
  [[nodiscard]] time_point window_probe_at(time_point now) const;
  [[nodiscard]] bool has_measured() const { return smoothed_ > duration::zero(); }
  [[nodiscard]] duration shortest() const { return shortest_; }
  [[nodiscard]] duration smoothed() const { return smoothed_; }

 private:
  duration smoothed_{};
  duration variation_{};
  duration shortest_ = duration::max();
  unsigned doublings_ = 0;
};

}  // namespace netstack::tcp
