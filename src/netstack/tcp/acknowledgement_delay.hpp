// acknowledgement_delay: lets the acknowledgement of a request travel with the answer. Owned by tcp::connection.
//
// RFC 9293 (3.8.6.3) permits an acknowledgement to wait for data that carries it. That saves a frame for each request
// where both ends take turns. Elsewhere it costs: Nagle's algorithm at the peer holds back a second small segment until
// the first one is acknowledged. So a connection has to show that it takes turns: twice in succession, one segment came
// and data went out within `longest`. It loses that standing when two segments come without data between them, when
// the answer is late, and when an acknowledgement has waited in vain. The wait is short: a peer that writes twice
// before it reads loses a millisecond once.
//
// The receiver decides which acknowledgements may wait at all: see receiver::may_wait().
#pragma once

#include <chrono>

#include "netstack/time_point.hpp"

namespace netstack::tcp {

class acknowledgement_delay {
 public:
  static constexpr duration longest = std::chrono::milliseconds(1);
  static constexpr unsigned enough_turns = 2;

  // The peer's data came.
  void arrived(time_point now);
  // Data went out, and carried the acknowledgement.
  void answered(time_point now);
  // Ends a wait that was in vain.
  void on_time(time_point now);

  // Whether an acknowledgement that may wait still waits.
  [[nodiscard]] bool holds(time_point now) const { return waits() && now < arrived_at_ + longest; }
  // When the wait ends; `never` when none may begin.
  [[nodiscard]] time_point wake_at() const { return waits() ? arrived_at_ + longest : never; }

 private:
  [[nodiscard]] bool waits() const { return turns_ == enough_turns && !is_answered_; }

  time_point arrived_at_;
  unsigned turns_ = 0;
  bool is_answered_ = true;
};

}  // namespace netstack::tcp
