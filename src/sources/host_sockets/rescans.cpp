#include "sources/host_sockets/rescans.hpp"

#include <optional>

namespace host_sockets {

// A late scan replaces all scans that were due before it.
void rescans::scan(time_point now, bool event) {
  if (event) {
    reported_ = now;
    step_ = 0;
  }
  while (step_ < delays.size() && !event && reported_ + delays[step_] <= now) ++step_;
}

std::optional<rescans::time_point> rescans::next() const {
  return step_ == delays.size() ? std::nullopt : std::optional(reported_ + delays[step_]);
}

}  // namespace host_sockets
