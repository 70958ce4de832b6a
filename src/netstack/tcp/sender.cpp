#include "netstack/tcp/sender.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "netstack/bytes.hpp"
#include "netstack/tcp/limits.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/tcp/sequence.hpp"
#include "netstack/time_point.hpp"

namespace netstack::tcp {
namespace {

constexpr unsigned duplicate_acknowledgements = 3;  // RFC 5681
constexpr unsigned repairs_that_forget = 16;        // RFC 8985, 6.2

// A few segments, or one large one.
std::size_t floor_of(const limits& l) {
  return std::max<std::size_t>(4 * std::size_t{l.most_segment}, l.largest_segment);
}

}  // namespace

peer_terms terms_of(const segment& syn) {
  peer_terms terms;
  if (syn.options.most_segment) terms.most_segment = std::max(*syn.options.most_segment, sender::least_segment);
  terms.scales = syn.options.window_shift.has_value();
  terms.window_shift = syn.options.window_shift.value_or(0);
  terms.sack = syn.options.sack_permitted;
  return terms;
}

sender::sender(const limits& l, sequence first)
    : limits_(l),
      queue_(l.send_capacity),
      congestion_(floor_of(l)),
      oldest_(first),
      next_(first),
      repaired_at_(first),
      tolerated_at_(first) {
  queue_.start(first);
}

void sender::start(const peer_terms& terms, std::uint32_t window, const segment& last) {
  terms_ = terms;
  terms_.most_segment = std::min(terms.most_segment, limits_.most_segment);
  window_ = largest_window_ = window;
  window_number_ = last.number;
  window_acknowledged_ = last.acknowledged;
}

std::array<bytes_span, 2> sender::room(const send_queue::growth& how) {
  const auto slices = queue_.room(next_, how);
  if (slices[0].empty()) room_wanted_ = true;
  return slices;
}

bool sender::take_writable() {
  if (!room_wanted_ || !queue_.has_room(next_)) return false;
  room_wanted_ = false;
  return true;
}

// --- what comes back

void sender::on_segment(const segment& s, time_point now) {
  const bool progress = s.acknowledged > oldest_;
  if (!progress) count_duplicate(s);
  retries_ = 0;
  update_window(s);
  take_acknowledgement(s, now);
  if (progress) {
    timer_.answered();
    duplicates_ = 0;
    tail_probed_ = false;
    stop_waiting();  // the deadline starts over
  }
  set_wait(now);
}

void sender::update_window(const segment& s) {
  const auto offered = std::uint32_t{s.window} << terms_.window_shift;
  const bool newer =
      window_number_ < s.number || (window_number_ == s.number && window_acknowledged_ <= s.acknowledged);
  if (!newer && s.acknowledged <= oldest_) return;
  window_ = offered;
  largest_window_ = std::max(largest_window_, offered);
  window_number_ = s.number;
  window_acknowledged_ = s.acknowledged;
  if (offered == 0 || s.acknowledged > oldest_) return;
  if (probe_sent_) take_back_probe();
  if (scoreboard_.empty()) timer_.answered();
}

// The byte beyond a closed window was not accepted. It is sent again with those after it.
void sender::take_back_probe() {
  scoreboard_.clear();
  next_ = oldest_;
  probe_sent_ = false;
  stop_waiting();
}

void sender::take_acknowledgement(const segment& s, time_point now) {
  const auto in_flight = scoreboard_.in_flight() + scoreboard_.lost();
  const auto blocks = std::span(s.options.sack).first(terms_.sack ? s.options.sack_blocks : 0);
  const auto progress = s.acknowledged > oldest_;
  const auto report = scoreboard_.acknowledged(s.acknowledged, blocks, now);
  if (progress) advance(s.acknowledged);
  take_report(report, in_flight, now);
  if (!terms_.sack && progress && repairing_ && scoreboard_.lost() == 0)
    scoreboard_.lose_first();  // a partial acknowledgement: the next hole (RFC 6582)
}

void sender::take_report(const sack_scoreboard::report& r, std::size_t in_flight, time_point now) {
  if (r.round_trip) timer_.measured(*r.round_trip);
  if (r.duplicate) count_needless_repetition();
  if (r.delivered > 0 && (!repairing_ || repairs_time_out_)) congestion_.acknowledged(r.delivered, in_flight);
  if (terms_.sack) repair(in_flight, find_losses(now));
}

// Acknowledgements overtake each other, too. The blocks of a late one count, its number and window do not.
void sender::on_overtaken(const segment& s, time_point now) {
  if (!terms_.sack || s.options.sack_blocks == 0) return;
  const auto in_flight = scoreboard_.in_flight() + scoreboard_.lost();
  const auto blocks = std::span(s.options.sack).first(s.options.sack_blocks);
  take_report(scoreboard_.acknowledged(s.acknowledged, blocks, now), in_flight, now);
  set_wait(now);
}

void sender::advance(sequence to) {
  oldest_ = to;
  queue_.acknowledged(std::min(oldest_, queue_.end()));
  probe_sent_ = false;
  if (oldest_ > tolerated_at_) tolerated_at_ = oldest_;  // never half of the numbers behind
  if (repairing_ && oldest_ >= repaired_at_) end_repair();
}

// After many repairs without a needless repetition the path reorders no more (RFC 8985, 6.2).
void sender::end_repair() {
  repairing_ = repairs_time_out_ = false;
  if (++needed_repairs_ == repairs_that_forget) scoreboard_.forget_reordering();
}

// A repetition was unnecessary: the path reorders more than was tolerated, which counts once in a round trip (RFC 8985,
// 6.2). If every repetition of a repair was unnecessary, nothing had been lost.
void sender::count_needless_repetition() {
  if (repeated_ == 0) return;
  needed_repairs_ = 0;
  if (!repairs_time_out_ && oldest_ >= tolerated_at_) {
    scoreboard_.tolerate_reordering();
    tolerated_at_ = next_;
  }
  if (--repeated_ == 0) congestion_.undo();
}

// A peer without SACK repeats its acknowledgement for each out-of-order segment.
void sender::count_duplicate(const segment& s) {
  const auto offered = std::uint32_t{s.window} << terms_.window_shift;
  if (terms_.sack || scoreboard_.empty() || s.length() > 0 || offered != window_ || probe_sent_) return;
  if (++duplicates_ != duplicate_acknowledgements || repairing_) return;
  const auto in_flight = scoreboard_.in_flight() + scoreboard_.lost();
  scoreboard_.lose_first();
  repair(in_flight, true);
}

void sender::repair(std::size_t in_flight, bool found) {
  if (!found || repairing_) return;
  repairing_ = true;
  repaired_at_ = next_;
  repeated_ = 0;
  congestion_.lost(in_flight);
}

// --- time

bool sender::find_losses(time_point now) {
  return scoreboard_.find_losses(now, {.shortest = timer_.shortest(), .smoothed = timer_.smoothed()}, repairing_);
}

void sender::on_time(time_point now) {
  const auto in_flight = scoreboard_.in_flight() + scoreboard_.lost();
  if (scoreboard_.next_check() <= now) repair(in_flight, find_losses(now));
  if (deadline_ > now) return;
  switch (waits_for_) {
    case wait::nothing: break;
    case wait::tail_probe: tail_due_ = tail_probed_ = true; break;
    case wait::persist:
      ++retries_;
      timer_.back_off();
      probe_due_ = true;
      break;
    case wait::retransmission:
      ++retries_;
      timer_.back_off();
      if (!probe_sent_) {
        congestion_.timed_out(scoreboard_.in_flight() + scoreboard_.lost());
        repairing_ = repairs_time_out_ = true;
        repaired_at_ = next_;
        repeated_ = 0;
      }
      scoreboard_.lose_all();
      break;
  }
  stop_waiting();
  set_wait(now);
}

time_point sender::wake_at() const { return std::min(deadline_, scoreboard_.next_check()); }

bool sender::is_due() const {
  return probe_due_ || tail_due_ || (scoreboard_.lost() > 0 && scoreboard_.in_flight() == 0);
}

sender::wait sender::what_to_wait_for() const {
  if (is_due()) return wait::nothing;
  if (!scoreboard_.empty()) {
    const bool tail = terms_.sack && !tail_probed_ && !repairing_ && !probe_sent_ && timer_.has_measured();
    return tail ? wait::tail_probe : wait::retransmission;
  }
  return unsent() > 0 && !is_worth(std::min(usable(), unsent())) ? wait::persist : wait::nothing;
}

time_point sender::end_of(wait w, time_point now) const {
  switch (w) {
    case wait::nothing: return never;
    case wait::tail_probe: return now + timer_.probe_timeout(scoreboard_.records() == 1);
    case wait::persist: return timer_.window_probe_at(now);
    case wait::retransmission: break;
  }
  return probe_sent_ ? timer_.window_probe_at(now) : now + timer_.timeout();
}

void sender::stop_waiting() {
  waits_for_ = wait::nothing;
  deadline_ = never;
}

// Starts a new wait if its reason has changed.
void sender::set_wait(time_point now) {
  const auto w = what_to_wait_for();
  if (w == waits_for_) return;
  waits_for_ = w;
  deadline_ = end_of(w, now);
}

// --- what goes out

bool sender::next_segment(outgoing& to, time_point now, std::size_t budget) {
  const bool full = scoreboard_.records() >= sack_scoreboard::most_records;
  const bool sent = repeat_lost(to, now, budget) || repeat_tail(to, now, budget) ||
                    (!full && send_new(to, now, budget)) || send_probe(to, now, budget);
  if (sent || waits_for_ == wait::nothing || waits_for_ == wait::persist) set_wait(now);
  return sent;
}

std::size_t sender::largest() const {
  const std::size_t unit = terms_.most_segment;
  const bool offload = limits_.largest_segment > limits_.most_segment;
  return offload ? std::max(limits_.largest_segment / unit * unit, unit) : unit;
}

std::size_t sender::usable() const {
  const auto end = oldest_ + window_;
  return end > next_ ? static_cast<std::size_t>(end - next_) : 0;
}

// Whether a segment of new bytes of this size is large enough to send.
bool sender::is_worth(std::size_t bytes) const {
  return bytes > 0 && (bytes >= terms_.most_segment || bytes == unsent() || bytes >= largest_window_ / 2);
}

void sender::fill(outgoing& to, sequence at, std::size_t bytes, bool fin) const {
  to.header.number = at;
  to.header.flags.fin = fin;
  to.header.flags.psh = bytes > 0 && at + static_cast<std::uint32_t>(bytes) == queue_.end();
  to.payload = queue_.slices(at, bytes);
  to.most_segment = terms_.most_segment;
}

// The number of bytes sent, including one for the FIN; 0 if the budget is too small.
std::size_t sender::repeat(outgoing& to, const sack_scoreboard::transmission& what, time_point now,
                           std::size_t budget) {
  const auto begin = what.begin;
  const bool with_fin = what.end > queue_.end();
  const std::size_t payload = what.size() - (with_fin ? 1U : 0U);
  const auto bytes = std::min(payload, largest());
  if (bytes > budget) return 0;
  const bool fin = with_fin && bytes == payload;
  fill(to, begin, bytes, fin);
  const auto size = static_cast<std::uint32_t>(bytes) + (fin ? 1U : 0U);
  to.repeats = true;
  scoreboard_.sent_again(begin, size, now);
  if (repairing_) ++repeated_;
  return size;
}

bool sender::repeat_lost(outgoing& to, time_point now, std::size_t budget) {
  const auto* lost = scoreboard_.first_lost();
  // The first repetition does not wait for the reduced window.
  if (lost == nullptr || (scoreboard_.in_flight() >= congestion_.size() && repeated_ > 0)) return false;
  return repeat(to, *lost, now, budget) > 0;
}

bool sender::repeat_tail(outgoing& to, time_point now, std::size_t budget) {
  if (!tail_due_) return false;
  const auto* last = scoreboard_.last();
  const bool missing = last != nullptr && !last->delivered;
  if (missing && repeat(to, *last, now, budget) == 0) return false;  // a repetition may move the records
  tail_due_ = false;
  return missing;
}

// How many of the bytes that the peer accepts fit the congestion window and the budget: whole segments, unless all fit.
std::size_t sender::fit(std::size_t bytes, std::size_t budget) const {
  const std::size_t unit = terms_.most_segment;
  const auto size = congestion_.size();
  auto room = size - std::min(size, scoreboard_.in_flight());
  if (scoreboard_.in_flight() == 0) room = std::max(room, bytes);
  if (bytes > room && room < std::min(largest(), size / 4)) return 0;  // no tiny parts of a large segment
  const auto most = std::min(room, budget);
  return bytes <= most ? bytes : most / unit * unit;
}

bool sender::send_new(outgoing& to, time_point now, std::size_t budget) {
  if (fin_sent_ || probe_sent_) return false;
  auto bytes = std::min({unsent(), usable(), largest()});
  if (unsent() > 0) {
    if (!is_worth(bytes)) return false;
    bytes = fit(bytes, budget);
    if (bytes == 0) return false;
  }
  const bool fin = finishing_ && bytes == unsent();
  if (bytes == 0 && !fin) return false;
  if (bytes < unsent() && bytes > terms_.most_segment) bytes -= bytes % terms_.most_segment;
  fill(to, next_, bytes, fin);
  const auto end = next_ + static_cast<std::uint32_t>(bytes) + (fin ? 1U : 0U);
  scoreboard_.sent(next_, end, now);
  next_ = end;
  fin_sent_ = fin;
  probe_due_ = false;  // the window has opened
  return true;
}

bool sender::send_probe(outgoing& to, time_point now, std::size_t budget) {
  if (!probe_due_ || budget == 0) return false;
  probe_due_ = false;
  if (!scoreboard_.empty() || unsent() == 0) return false;
  const auto bytes = std::max<std::size_t>(std::min({usable(), unsent(), largest(), budget}), 1);
  probe_sent_ = usable() == 0;
  fill(to, next_, bytes, false);
  scoreboard_.sent(next_, next_ + static_cast<std::uint32_t>(bytes), now);
  next_ += static_cast<std::uint32_t>(bytes);
  return true;
}

// --- the rest

void sender::set_most_segment(std::uint16_t bytes) {
  if (bytes >= terms_.most_segment) return;
  terms_.most_segment = std::max(bytes, least_segment);
  scoreboard_.lose_larger(terms_.most_segment);
}

void sender::drop_all() {
  queue_.clear();
  scoreboard_.clear();
  scoreboard_.trim();
  stop_waiting();
}

void sender::trim() {
  queue_.trim();
  scoreboard_.trim();
}

}  // namespace netstack::tcp
