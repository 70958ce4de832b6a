#include "netstack/tcp/handshake.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/receiver.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sender.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {

void handshake::take(const segment& syn) {
  theirs_ = syn.number;
  syn_length_ = syn.length();
  terms_ = terms_of(syn);
  has_theirs_ = true;
}

// Without ECE and CWR: ECN is refused (RFC 3168, 6.1.1). A payload of the peer's SYN is not acknowledged, so it is sent
// again.
void handshake::fill(segment& to, const limits& l, const receiver& r, time_point now) {
  to.number = ours_;
  to.flags.syn = true;
  to.flags.ack = has_theirs_;
  to.acknowledged = theirs_ + 1;
  to.window = r.first_window();
  to.options.most_segment = l.most_segment;
  if (!has_theirs_ || terms_.scales) to.options.window_shift = r.shift();
  to.options.sack_permitted = !has_theirs_ || terms_.sack;
  due_ = false;
  sent_at_ = now;
  repeated_ = sendings_ > 0;
  if (!std::exchange(counts_, false)) return;
  deadline_ = now + wait();
  ++sendings_;
}

duration handshake::wait() const {
  if (side_ == side::opens && sendings_ + 1 >= most_sendings()) return std::chrono::seconds(3);
  return std::chrono::seconds(1U << std::min(sendings_, most_sendings()));
}

bool handshake::on_time(time_point now) {
  if (deadline_ > now) return false;
  deadline_ = never;
  due_ = counts_ = sendings_ < most_sendings();
  return !due_;
}

}  // namespace netstack::tcp
