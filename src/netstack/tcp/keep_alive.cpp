#include "netstack/tcp/keep_alive.hpp"

#include <utility>

#include "netstack/time_point.hpp"

namespace netstack::tcp {

bool keep_alive::on_time(time_point now) {
  if (wake_at() > now) return false;
  if (probes_ >= most_probes) return true;
  ++probes_;
  due_ = true;
  since_ = now;
  return false;
}

time_point keep_alive::wake_at() const {
  const auto at = (since_ + (probes_ == 0 ? idle : interval)).time_since_epoch();
  return time_point((at + interval - duration(1)) / interval * interval);
}

bool keep_alive::take_due() { return std::exchange(due_, false); }

}  // namespace netstack::tcp
