#include "netstack/tcp/keep_alive.hpp"

#include <utility>

#include "netstack/time_point.hpp"

namespace netstack::tcp {

bool keep_alive::on_time(time_point now) {
  if (wake_at() > now) return false;
  if (probes_ >= most_probes) return true;
  due_ = true;
  return false;
}

time_point keep_alive::wake_at() const {
  if (due_) return never;
  const auto at = (since_ + (probes_ == 0 ? idle : interval)).time_since_epoch();
  return time_point((at + interval - duration(1)) / interval * interval);
}

bool keep_alive::take_due(time_point now) {
  if (!std::exchange(due_, false)) return false;
  ++probes_;
  since_ = now;
  return true;
}

}  // namespace netstack::tcp
