// keep_alive: detects a peer that is gone while nothing is in flight (RFC 9293, 3.8.4). Owned by tcp::connection.
//
// A probe is sent after four minutes of silence, then every half minute; the fifth without an answer ends the
// connection, within eight minutes. Linux drops FIN_WAIT_2 silently after a minute, and then answers a probe with a
// RST. Probes are sent at whole half minutes of the clock, so that many idle connections wake the process once. The
// number of sent probes counts, not the time: a process that was stopped sends probes again, and a link that accepts no
// frames ends no connection.
#pragma once

#include <chrono>

#include "netstack/time_point.hpp"

namespace netstack::tcp {

class keep_alive {
 public:
  static constexpr duration idle = std::chrono::minutes(4);
  static constexpr duration interval = std::chrono::seconds(30);
  static constexpr unsigned most_probes = 5;

  void heard(time_point now) {
    since_ = now;
    probes_ = 0;
    due_ = false;
  }
  // Whether the peer is gone.
  [[nodiscard]] bool on_time(time_point now);
  [[nodiscard]] time_point wake_at() const;
  // Whether to send a probe now. True once per probe.
  [[nodiscard]] bool take_due(time_point now);

 private:
  time_point since_;  // the last segment or the last probe
  unsigned probes_ = 0;
  bool due_ = false;
};

}  // namespace netstack::tcp
