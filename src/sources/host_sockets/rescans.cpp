#include "sources/host_sockets/rescans.hpp"

namespace host_sockets {

// A scan that comes late stands for all that were due until then.
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
