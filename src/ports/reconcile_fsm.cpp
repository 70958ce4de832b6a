#include "ports/reconcile_fsm.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/address.hpp"
#include "ports/binding.hpp"
#include "ports/exposure_policy.hpp"
#include "ports/peer_listing.hpp"
#include "ports/retry_state.hpp"
#include "ports/sink.hpp"
#include "ports/slot.hpp"

namespace ports {
namespace {

// What the operation adds or removes; null if there is nothing.
const forward* target_of(const slot& s, verb what) {
  if (what == verb::remove) return s.applied();
  return s.wanted ? &*s.wanted : nullptr;
}

bool is_another(const std::optional<forward>& a, const std::optional<forward>& b) {
  return a.has_value() != b.has_value() || (a && !a->served_by(*b));
}

// False: another program's forward is not what is wanted now.
bool foreign_serves(const slot& s) {
  return s.state() != slot_state::foreign || (s.wanted && s.wanted->served_by(*s.applied()));
}

// Whether its first add waits for a time.
bool is_held_back(const slot& s, time_point now) {
  return s.state() == slot_state::absent && s.retry.failures == 0 && s.wanted && s.wanted->not_before > now;
}

}  // namespace

std::string_view to_string(outcome_kind kind) {
  switch (kind) {
    case outcome_kind::done: return "done";
    case outcome_kind::conflict: return "conflict";
    case outcome_kind::exists: return "exists";
    case outcome_kind::refused: return "refused";
    case outcome_kind::unknown: return "unknown";
    case outcome_kind::unsent: break;
  }
  return "unsent";
}

reconcile_fsm::reconcile_fsm(sink_traits traits, reconcile_options options)
    : traits_(traits), options_(options), random_(options.seed | 1U) {
  if (traits_.announces_return) options_.peer_retry.cap = options_.announced_peer_retry_cap;
}

std::uint32_t reconcile_fsm::random() {  // xorshift32
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  return random_;
}

void reconcile_fsm::remember(const std::vector<forward>& journaled, bool sources_may_keep, time_point now) {
  for (const auto& f : journaled) {
    const auto at = slots_.try_emplace(f.key).first;
    at->second.held = slot::uncertain{f, sources_may_keep ? origin::journal : origin::this_run, {}};
    reschedule(at, now);
  }
}

// ---- what is needed -------------------------------------------------------------------------------------------------

std::optional<verb> reconcile_fsm::needed(const slot& s) const {
  if (s.state() == slot_state::foreign) return std::nullopt;
  if (s.state() == slot_state::absent) return s.wanted ? std::optional(verb::add) : std::nullopt;
  if (!s.wanted) return may_be_claimed(s) && !draining_ ? std::nullopt : std::optional(verb::remove);
  if (!s.wanted->served_by(*s.applied())) return verb::remove;
  return s.state() == slot_state::uncertain ? std::optional(verb::add) : std::nullopt;
}

// An earlier run has left it, and the source that had claimed it has not reported yet.
bool reconcile_fsm::may_be_claimed(const slot& s) const {
  if (s.from() == origin::this_run) return false;
  const auto& source = s.applied()->source;
  const bool any_source = s.from() == origin::found || source.sees_any_ports();
  return any_source ? !settled_sources_.all() : !settled_sources_[source.rank()];
}

reconcile_fsm::slot_range reconcile_fsm::addresses_of(const port_key& key) const {
  const auto first = slots_.lower_bound({key.protocol, net::address::any_v4(), key.port});
  auto last = first;
  while (last != slots_.end() && last->first.protocol == key.protocol && last->first.port == key.port) ++last;
  return {first, last};
}

// A removal that is due comes before the addition of another address: on the host 0.0.0.0:P and 127.0.0.1:P exclude
// each other. One that waits does not: the peer says itself whether the port is still held. A peer without answers
// cannot, so there a removal that failed still comes first.
bool reconcile_fsm::comes_first(const slot& s, time_point now) const {
  if (needed(s) != verb::remove) return false;
  return s.retry.not_before <= now || (!answers_ && s.retry.failures > 0);
}

const reconcile_fsm::slot_map::value_type* reconcile_fsm::obstacle(const port_key& key, verb next,
                                                                   time_point now) const {
  for (const auto& other : addresses_of(key)) {
    if (other.second.in_flight) return &other;
    if (next == verb::add && other.first != key && comes_first(other.second, now)) return &other;
  }
  return nullptr;
}

void reconcile_fsm::schedule(slot_map::iterator at, time_point when) {
  auto& s = at->second;
  due_.erase({s.retry.not_before, at->first});
  const bool opens = s.state() == slot_state::absent && s.wanted;
  s.retry.not_before = opens ? std::max(when, s.wanted->not_before) : when;
  if (!s.in_flight && needed(s)) due_.emplace(s.retry.not_before, at->first);
}

// Keeps the back-off of a slot that has one; forgets a slot of which nothing is left.
void reconcile_fsm::reschedule(slot_map::iterator at, time_point now) {
  const auto& s = at->second;
  schedule(at, s.retry.next_attempt(now));
  if (!s.is_forgotten()) return;
  due_.erase({s.retry.not_before, at->first});
  slots_.erase(at);
}

// ---- events ---------------------------------------------------------------------------------------------------------

void reconcile_fsm::set_wanted(slot_map::iterator at, std::optional<forward> wanted, time_point now) {
  auto& s = at->second;
  const bool changed = is_another(wanted, s.wanted);
  const bool moved = wanted && s.wanted && wanted->not_before != s.wanted->not_before;
  s.wanted = std::move(wanted);
  if (!s.wanted || !foreign_serves(s)) s.apply(slot_event::unwanted, std::nullopt, now);
  if (!changed && !moved) return;
  if (changed) s.retry.forgive();
  if (changed) s.wanted_since = s.wanted && needed(s) ? now : time_point{};
  reschedule(at, now);
}

void reconcile_fsm::want(const forward_map& desired, source_set settled, std::uint64_t epoch, time_point now) {
  if (draining_) return;
  const bool sources_changed = settled != settled_sources_;
  settled_sources_ = settled;
  for (auto at = slots_.begin(); at != slots_.end();) {
    const auto here = at++;
    if (here->second.wanted && !desired.contains(here->first))
      set_wanted(here, std::nullopt, now);
    else if (sources_changed && here->second.from() != origin::this_run)
      reschedule(here, now);
  }
  for (const auto& [key, wanted] : desired) set_wanted(slots_.try_emplace(key).first, wanted, now);
  if (epoch != epoch_ && listing_.status() != peer_status::awaiting) listing_.request(now);
  epoch_ = epoch;
}

void reconcile_fsm::drain(time_point now) {
  draining_ = true;
  for (auto at = slots_.begin(); at != slots_.end();) {
    const auto here = at++;
    here->second.retry.failures = 0;
    set_wanted(here, std::nullopt, now);
  }
  for (auto at = slots_.begin(); at != slots_.end();) reschedule(at++, now);
  listing_.end_delay(now);
}

// ---- operations -----------------------------------------------------------------------------------------------------

std::vector<operation> reconcile_fsm::take(std::size_t limit, time_point now) {
  std::vector<operation> taken;
  if (listing_.status() != peer_status::synced) return taken;
  for (auto at = due_.begin(); at != due_.end() && at->first <= now && taken.size() < limit;) {
    const auto due = at++;
    auto& s = slots_.at(due->second);
    const auto next = needed(s);
    if (!next || obstacle(due->second, *next, now) != nullptr) continue;
    const auto* const target = target_of(s, *next);
    if (target == nullptr) continue;
    taken.push_back({*next, *target});
    s.in_flight = next;
    ++in_flight_;
    due_.erase(due);
  }
  return taken;
}

// The caller reschedules.
void reconcile_fsm::fail(slot_map::iterator at, const outcome& why, time_point now) {
  auto& s = at->second;
  due_.erase({s.retry.not_before, at->first});
  s.retry.fail(why, options_.key_retry, now, random());
}

void reconcile_fsm::finished(const operation& op, const outcome& result, time_point now) {
  const auto at = slots_.find(op.target.key);
  if (at == slots_.end() || at->second.in_flight != op.what)
    throw std::logic_error("an operation has finished that was not taken");
  auto& s = at->second;
  s.in_flight.reset();
  --in_flight_;
  count(op, result.kind, s, now);
  const bool late = now < s.late_until && (op.what == verb::add || (!s.wanted && !draining_));
  const auto event = event_of(op.what, result.kind, late);
  s.apply(event, result.kind == outcome_kind::unsent ? std::nullopt : std::optional(op.target), now);
  if (event == slot_event::add_unknown) s.late_until = answers_ ? time_point::max() : now + options_.late_limit;
  if (result.kind == outcome_kind::done)
    finish_done(at, event, now);
  else
    finish_failed(at, result, now);
}

// An addition that the peer confirms again, after its restart, says nothing about how long a port takes.
void reconcile_fsm::count(const operation& op, outcome_kind kind, slot& s, time_point now) {
  counters_.note(op.what, kind);
  if (s.retry.trouble) ++counters_.retries;
  if (op.what != verb::add || kind != outcome_kind::done || !s.wanted || s.wanted_since == time_point{}) return;
  counters_.exposures.observe(now - s.wanted_since);
  s.wanted_since = {};
}

// A removal that an addition may still follow is done once more when that cannot be any more.
void reconcile_fsm::finish_done(slot_map::iterator at, slot_event event, time_point now) {
  at->second.retry.forgive();
  if (event == slot_event::remove_done_late) return schedule(at, at->second.late_until);
  reschedule(at, now);
}

void reconcile_fsm::finish_failed(slot_map::iterator at, const outcome& result, time_point now) {
  fail(at, result, now);
  if (result.kind == outcome_kind::conflict) remove_others(at->first, now);
  const bool unclear = is_lost(result.kind) && listing_.status() == peer_status::synced;
  if (result.kind == outcome_kind::exists || unclear) listing_.request(now);
  reschedule(at, now);
}

// What is in the way may be an addition without an answer that has been carried out by now, or what the peer would not
// remove before.
void reconcile_fsm::remove_others(const port_key& key, time_point now) {
  for (const auto& other : addresses_of(key)) {
    const auto at = slots_.find(other.first);
    const auto& s = at->second;
    const bool waits = !s.in_flight && s.retry.not_before > now && needed(s) == verb::remove;
    if (other.first != key && waits) schedule(at, now);
  }
}

// ---- outlook --------------------------------------------------------------------------------------------------------

time_point reconcile_fsm::wake_at(time_point now) const {
  const bool may_list = listing_.status() == peer_status::awaiting && in_flight_ == 0;
  if (listing_.status() != peer_status::synced) return may_list ? listing_.not_before() : time_point::max();
  // What is due already waits for an operation in flight, whose report comes first, or for one that is due later.
  const auto next = std::ranges::upper_bound(due_, now, {}, [](const auto& item) { return item.first; });
  return next == due_.end() ? time_point::max() : next->first;
}

std::string reconcile_fsm::waits_for(const port_key& key, time_point now) const {
  const auto at = slots_.find(key);
  if (at == slots_.end() || at->second.in_flight) return {};
  const auto next = needed(at->second);
  if (!next) return {};
  if (listing_.status() != peer_status::synced) return "the peer has not been asked yet what it holds";
  if (const auto* other = obstacle(key, *next, now)) {
    const auto name = to_string(other->first);
    if (!other->second.in_flight) return name + " is to be removed first";
    return name + (other->second.in_flight == verb::add ? " is being exposed" : " is being removed");
  }
  return *next == verb::add && is_held_back(at->second, now)
             ? "it is not served inside the VM yet, or its owner is not known"
             : "";
}

bool reconcile_fsm::settled() const {
  return listing_.status() == peer_status::synced && in_flight_ == 0 && due_.empty();
}

bool reconcile_fsm::may_be_ours(const port_key& key) const {
  const auto at = slots_.find(key);
  return at != slots_.end() && at->second.may_be_ours();
}

bool reconcile_fsm::holds_ours() const {
  return in_flight_ > 0 || std::ranges::any_of(slots_, [](const auto& item) { return item.second.may_be_ours(); });
}

}  // namespace ports
