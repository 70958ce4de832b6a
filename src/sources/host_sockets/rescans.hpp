// rescans: when to scan again after an event. The kernel reports a close before it has happened and a bind before the
// list shows it, and a process may be suspended in between, so one scan is not enough. Pure.
#pragma once

#include <array>
#include <chrono>
#include <optional>

namespace host_sockets {

class rescans {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::array delays{std::chrono::milliseconds(2), std::chrono::milliseconds(20),
                                     std::chrono::milliseconds(200), std::chrono::milliseconds(2'000)};

  // A scan begins; `event`: an event was reported since the last one.
  void scan(time_point now, bool event);
  // Nothing: no more scans for that event.
  [[nodiscard]] std::optional<time_point> next() const;

 private:
  time_point reported_{};
  std::size_t step_ = delays.size();
};

}  // namespace host_sockets
