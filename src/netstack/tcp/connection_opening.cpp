// How a connection opens: from its first segment to the state established.
#include <cstdint>

#include "netstack/tcp/connection.hpp"
#include "netstack/tcp/handshake.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {

connection connection::accept(const segment& syn, const limits& l, sequence initial, time_point now) {
  connection c(l, handshake(handshake::side::accepts, initial), now);
  c.handshake_.take(syn);
  return c;
}

connection connection::open(const limits& l, sequence initial, time_point now) {
  connection c(l, handshake(handshake::side::opens, initial), now);
  c.state_ = state::syn_sent;
  c.handshake_.send_now();
  return c;
}

void connection::connected(time_point) {
  if (state_ != state::connecting) return;
  state_ = state::syn_received;
  handshake_.send_now();
}

// The host has not answered yet. The VM may give up, or start over with another number.
void connection::on_segment_connecting(const segment& s) {
  if (s.flags.rst) {
    if (s.number == handshake_.theirs() + 1) end_by_reset();
  } else if (s.flags.syn && !s.flags.ack && !handshake_.is_same(s)) {
    handshake_.take(s);
  }
}

void connection::on_segment_syn_sent(const segment& s, time_point now) {
  const bool answers = s.flags.ack && s.acknowledged == handshake_.ours() + 1;
  if (s.flags.ack && !answers) {
    if (!s.flags.rst) stray_reset_ = s.acknowledged;
    return;
  }
  if (s.flags.rst) {
    if (answers) end_by_reset();
    return;
  }
  if (!s.flags.syn) return;
  handshake_.take(s);
  if (answers) return become_established(s, now);
  state_ = state::syn_received;  // both opened at the same time
  handshake_.send_now();
}

void connection::become_established(const segment& s, time_point now) {
  const auto& terms = handshake_.terms();
  const auto shift = s.flags.syn ? 0U : unsigned{terms.window_shift};  // RFC 7323, 2.2
  if (handshake_.was_sent_once()) sender_.measured(now - handshake_.sent_at());
  handshake_.end();
  receiver_.start(handshake_.theirs() + 1, terms.scales, terms.sack);
  sender_.start(terms, std::uint32_t{s.window} << shift, s);
  if (s.flags.syn) receiver_.acknowledge();
  state_ = sender_.finishing() ? state::fin_wait_1 : state::established;
  events_.established = true;
  touch(now);
}

// In syn_received: whether `s` ends the handshake and is processed further.
bool connection::complete_handshake(const segment& s, time_point now) {
  if (s.flags.rst) {
    if (s.number == handshake_.theirs() + 1) end_by_reset();
    return false;
  }
  if (s.flags.syn && handshake_.is_same(s) && !s.flags.ack) {
    handshake_.answer_again();  // our SYN-ACK was lost
    return false;
  }
  const auto first = handshake_.theirs() + (s.flags.syn ? 0U : 1U);
  if (!s.flags.ack || s.number < first || s.number > first + receiver_.first_window()) return false;
  if (s.acknowledged != handshake_.ours() + 1) {
    stray_reset_ = s.acknowledged;
    return false;
  }
  become_established(s, now);
  return true;
}

}  // namespace netstack::tcp
