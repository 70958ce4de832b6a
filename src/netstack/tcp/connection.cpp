#include "netstack/tcp/connection.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "netstack/bytes.hpp"
#include "netstack/tcp/handshake.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/send_queue.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {

connection::connection(const limits& l, handshake h, time_point now)
    : limits_(l), state_(state::connecting), handshake_(h), sender_(l, h.ours() + 1), receiver_(l) {
  keep_alive_.heard(now);
}

// --- segments

void connection::on_segment(const segment& s, time_point now) {
  switch (state_) {
    case state::closed: return;
    case state::connecting: return on_segment_connecting(s);
    case state::syn_sent: return on_segment_syn_sent(s, now);
    default: return on_segment_synchronized(s, now);
  }
}

void connection::on_segment_synchronized(const segment& s, time_point now) {
  if (state_ == state::syn_received && !complete_handshake(s, now)) return;
  if (!passes_checks(s, now)) return;
  keep_alive_.heard(now);
  touch(now);
  if (!take_acknowledgement(s, now)) return;
  if (state_ == state::closed || state_ == state::time_wait || receiver_.finished()) return;
  const auto before = receiver_.arrived().size();
  receiver_.take(s);
  if (!s.payload.empty()) delay_.arrived(now);
  if (receiver_.arrived().size() != before) events_.readable = true;
  if (receiver_.finished()) on_peers_fin(now);
  if (resets_behind_) receiver_.discard();
}

bool connection::passes_checks(const segment& s, time_point now) {
  if (s.flags.rst) {
    on_reset_segment(s, now);
    return false;
  }
  if (s.flags.syn) {
    challenge(now);
    return false;
  }
  if (!receiver_.is_acceptable(s)) {
    on_not_acceptable(s, now);
    return false;
  }
  return s.flags.ack;
}

void connection::on_reset_segment(const segment& s, time_point now) {
  if (s.number == receiver_.next()) return state_ == state::time_wait ? close() : end_by_reset();
  if (receiver_.is_in_window(s.number)) challenge(now);
}

// A repetition or a keep-alive: the peer is alive, and gets an acknowledgement.
void connection::on_not_acceptable(const segment& s, time_point now) {
  keep_alive_.heard(now);
  receiver_.repeated(s);
  if (s.length() == 0)
    challenge(now);
  else
    receiver_.acknowledge();
}

// Whether the rest of the segment is processed.
bool connection::take_acknowledgement(const segment& s, time_point now) {
  if (s.acknowledged > sender_.next()) {
    challenge(now);
    return false;
  }
  if (s.acknowledged < sender_.oldest()) {
    const bool plausible = s.acknowledged >= sender_.oldest() - std::max(sender_.largest_window(), 1U);
    if (plausible)
      sender_.on_overtaken(s, now);
    else
      challenge(now);
    return plausible;
  }
  sender_.on_segment(s, now);
  if (sender_.finished()) on_our_fin_acknowledged(now);
  if (resets_behind_ && sender_.drained()) abort();
  return true;
}

void connection::on_our_fin_acknowledged(time_point now) {
  if (state_ == state::fin_wait_1) state_ = state::fin_wait_2;
  if (state_ == state::closing) enter_time_wait(now);
  if (state_ == state::last_ack) close();
}

void connection::on_peers_fin(time_point now) {
  if (state_ == state::established) state_ = state::close_wait;
  if (state_ == state::fin_wait_1) state_ = state::closing;
  if (state_ == state::fin_wait_2) enter_time_wait(now);
}

void connection::challenge(time_point now) {
  if (now - challenged_since_ >= std::chrono::seconds(1)) {
    challenged_since_ = now;
    challenges_ = 0;
  }
  if (challenges_++ < challenges_a_second) receiver_.acknowledge();
}

// --- ends

void connection::enter_time_wait(time_point now) {
  state_ = state::time_wait;
  time_wait_until_ = now + time_wait;
}

void connection::close() {
  state_ = state::closed;
  trim_at_ = never;
  sender_.drop_all();
  receiver_.stop();
  if (resets_behind_ || receiver_.is_empty()) receiver_.drop_all();
}

void connection::end_by_reset() {
  was_reset_ = true;
  close();
}

void connection::time_out() {
  events_.timed_out = true;
  const bool synchronized = is_synchronized();
  receiver_.drop_all();
  close();
  reset_due_ = synchronized;
}

void connection::abort() {
  if (state_ == state::closed) return receiver_.drop_all();
  reset_due_ = state_ != state::syn_sent && state_ != state::time_wait;
  if (state_ != state::connecting && state_ != state::syn_received) receiver_.drop_all();
  // The RST's numbers depend on the state that it ends.
  if (reset_due_ && !is_synchronized())
    stray_reset_ = state_ == state::connecting ? sequence{0} : handshake_.ours() + 1;
  close();
}

void connection::finish(time_point) {
  if (!may_write()) return;
  sender_.finish();
  if (state_ == state::established) state_ = state::fin_wait_1;
  if (state_ == state::close_wait) state_ = state::last_ack;
}

void connection::finish_with_reset(time_point) {
  if (!is_synchronized() || sender_.drained()) return abort();
  resets_behind_ = true;
  receiver_.discard();
}

bool connection::may_write() const {
  const bool open = state_ == state::syn_sent || state_ == state::syn_received || state_ == state::established ||
                    state_ == state::close_wait;
  return open && !sender_.finishing() && !resets_behind_;
}

// --- the host's end

std::span<const bytes_view> connection::arrived() const { return receiver_.arrived(); }

void connection::consume(std::size_t bytes, time_point now) {
  receiver_.consume(bytes);
  if (state_ != state::closed)
    touch(now);
  else if (receiver_.is_empty())
    receiver_.drop_all();
}

void connection::keep() { receiver_.keep(); }

std::array<bytes_span, 2> connection::send_room(const send_queue::growth& how) {
  if (!may_write()) return {};
  return sender_.room(how);
}

void connection::written(std::size_t bytes, time_point now) {
  if (!may_write()) return;
  sender_.written(bytes);
  touch(now);
}

void connection::set_receive_window(std::size_t bytes) { receiver_.set_window(bytes); }

void connection::set_most_segment(std::uint16_t bytes) { sender_.set_most_segment(bytes); }

// --- time

void connection::touch(time_point now) {
  active_ = true;
  if (trim_at_ != never || !(sender_.has_spare() || receiver_.has_spare())) return;
  // At whole seconds of the clock, so that many connections wake the process once.
  trim_at_ = time_point((now.time_since_epoch() + 2 * trim_after - duration(1)) / trim_after * trim_after);
}

void connection::trim_if_idle(time_point now) {
  if (trim_at_ > now) return;
  trim_at_ = never;
  if (std::exchange(active_, false)) {
    touch(now);
    active_ = false;
    return;
  }
  sender_.trim();
  receiver_.trim();
}

bool connection::asks_keep_alive() const {
  const bool quiet = sender_.idle() && sender_.drained() && sender_.wake_at() == never;
  return is_synchronized() && state_ != state::time_wait && quiet;
}

void connection::on_time(time_point now) {
  trim_if_idle(now);
  if (state_ == state::syn_sent || state_ == state::syn_received) {
    if (handshake_.on_time(now)) time_out();
    return;
  }
  if (state_ == state::time_wait && time_wait_until_ <= now) close();
  if (!is_synchronized()) return;
  sender_.on_time(now);
  delay_.on_time(now);
  if (sender_.timed_out() || (asks_keep_alive() && keep_alive_.on_time(now))) time_out();
}

time_point connection::wake_at() const {
  switch (state_) {
    case state::connecting:
    case state::closed: return trim_at_;
    case state::syn_sent:
    case state::syn_received: return std::min(handshake_.wake_at(), trim_at_);
    case state::time_wait: return std::min(time_wait_until_, trim_at_);
    default:
      return std::min({sender_.wake_at(), trim_at_, may_delay() ? delay_.wake_at() : never,
                       asks_keep_alive() ? keep_alive_.wake_at() : never});
  }
}

// --- what goes out

bool connection::next_segment(outgoing& to, time_point now, std::size_t budget) {
  to = {};
  if (stray_reset_ || reset_due_) return fill_reset(to);
  if (handshake_.is_due() && state_ != state::closed) {
    handshake_.fill(to.header, limits_, receiver_, now);
    return true;
  }
  if (!is_synchronized()) return false;
  if (receiver_.must_acknowledge() && receiver_.must_be_alone()) return fill_acknowledgement(to);
  if (sender_.next_segment(to, now, budget)) {
    receiver_.fill(to.header, false);
    delay_.answered(now);
    return true;
  }
  if (keep_alive_.take_due(now)) {
    const bool filled = fill_acknowledgement(to);
    to.header.number = sender_.next() - 1;
    return filled;
  }
  return must_acknowledge(now) && fill_acknowledgement(to);
}

bool connection::must_acknowledge(time_point now) const {
  return receiver_.must_acknowledge() && !(receiver_.may_wait() && delay_.holds(now));
}

bool connection::fill_acknowledgement(outgoing& to) {
  to.header.number = sender_.next();
  receiver_.fill(to.header, true);
  return true;
}

// RFC 9293, 3.10.7.1: a RST that answers an acknowledgement uses its number; one that answers a SYN acknowledges it.
bool connection::fill_reset(outgoing& to) {
  to.header.flags.rst = true;
  to.header.number = stray_reset_.value_or(sender_.next());
  if (reset_due_) {
    to.header.flags.ack = true;
    to.header.acknowledged = stray_reset_ ? handshake_.behind_syn() : receiver_.next();
    reset_due_ = false;
  }
  stray_reset_.reset();
  return true;
}

events connection::take_events() {
  auto given = std::exchange(events_, {});
  const bool consumed = receiver_.is_empty();
  if (consumed) given.readable = false;
  if (receiver_.finished() && consumed && !std::exchange(finished_given_, true)) given.peer_finished = true;
  if (may_write() && sender_.take_writable()) given.writable = true;
  if (state_ != state::closed || !consumed || reset_due_ || stray_reset_ || end_given_) return given;
  end_given_ = true;
  given.reset = was_reset_;
  given.closed = true;
  return given;
}

bool connection::gives_way_to(const segment& syn) const {
  if (!syn.flags.syn || syn.flags.ack) return false;
  return state_ == state::closed || (state_ == state::time_wait && syn.number > receiver_.next());
}

bool connection::is_under_way(sequence number) const {
  if (state_ == state::syn_sent || state_ == state::syn_received) return number == handshake_.ours();
  return is_synchronized() && sender_.oldest() <= number && number < sender_.next();
}

}  // namespace netstack::tcp
