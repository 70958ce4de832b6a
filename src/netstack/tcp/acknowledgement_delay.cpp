#include "netstack/tcp/acknowledgement_delay.hpp"

#include <algorithm>

#include "netstack/time_point.hpp"

namespace netstack::tcp {

void acknowledgement_delay::arrived(time_point now) {
  if (!is_answered_) turns_ = 0;
  is_answered_ = false;
  arrived_at_ = now;
}

void acknowledgement_delay::answered(time_point now) {
  if (is_answered_) return;
  is_answered_ = true;
  turns_ = now - arrived_at_ < longest ? std::min(turns_ + 1, enough_turns) : 0;
}

void acknowledgement_delay::on_time(time_point now) {
  if (wake_at() <= now) turns_ = 0;
}

}  // namespace netstack::tcp
