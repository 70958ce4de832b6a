#include "ports/reconcile_fsm.hpp"

#include <algorithm>

namespace ports {
namespace {

bool held_by_us(const reconcile_fsm::slot& s) { return s.state == slot_state::ours || s.state == slot_state::maybe; }

// What the peer reported, as a forward: where it cannot tell the container port and the owner, `like` fills them in.
forward as_forward(const held_forward& held, const std::optional<forward>& like) {
  forward made = like.value_or(forward{held.key, held.container_port, source_id::docker, held.owner});
  if (held.container_port != 0) made.container_port = held.container_port;
  if (!held.owner.empty()) made.owner = held.owner;
  return made;
}

}  // namespace

std::string_view to_string(peer_status status) {
  switch (status) {
    case peer_status::awaiting: return "awaiting";
    case peer_status::syncing: return "syncing";
    case peer_status::synced: break;
  }
  return "synced";
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
    at->second.applied = f;
    at->second.state = slot_state::maybe;
    at->second.remembered = sources_may_keep;
    reschedule(at, now);
  }
}

// ---- what is needed -------------------------------------------------------------------------------------------------

std::optional<verb> reconcile_fsm::needed(const slot& s) const {
  if (s.state == slot_state::foreign) return std::nullopt;
  if (s.state == slot_state::absent) return s.wanted ? std::optional(verb::add) : std::nullopt;
  if (!s.wanted) {
    // What was seen as a listener may be any source's port.
    const bool heard = !s.source_known || s.applied->source == source_id::listeners
                           ? settled_sources_.all()
                           : settled_sources_[static_cast<std::size_t>(s.applied->source)];
    const bool source_may_still_want_it = s.remembered && !heard;
    return source_may_still_want_it && !draining_ ? std::nullopt : std::optional(verb::remove);
  }
  if (!s.wanted->served_by(*s.applied)) return verb::remove;
  return s.state == slot_state::maybe ? std::optional(verb::add) : std::nullopt;
}

// One port is worked on at one time, and nothing is added to it while another address of it is still to be removed:
// on the host 0.0.0.0:P and 127.0.0.1:P exclude each other.
bool reconcile_fsm::blocked(const port_key& key, verb next) const {
  const auto first = slots_.lower_bound({key.protocol, net::address::any_v4(), key.port});
  for (auto at = first; at != slots_.end() && at->first.protocol == key.protocol && at->first.port == key.port; ++at) {
    if (at->second.in_flight) return true;
    if (next == verb::add && at->first != key && needed(at->second) == verb::remove) return true;
  }
  return false;
}

void reconcile_fsm::schedule(slot_map::iterator at, time_point when) {
  due_.erase({at->second.not_before, at->first});
  at->second.not_before = when;
  if (!at->second.in_flight && needed(at->second)) due_.emplace(when, at->first);
}

// Keeps the back-off of a slot that has one; forgets a slot of which nothing is left.
void reconcile_fsm::reschedule(slot_map::iterator at, time_point now) {
  const auto& s = at->second;
  schedule(at, s.failures > 0 ? std::max(s.not_before, now) : now);
  if (!s.wanted && s.state == slot_state::absent && !s.in_flight) {
    due_.erase({s.not_before, at->first});
    slots_.erase(at);
  }
}

// ---- events ---------------------------------------------------------------------------------------------------------

void reconcile_fsm::set_wanted(slot_map::iterator at, std::optional<forward> wanted, time_point now) {
  auto& s = at->second;
  const bool changed = s.wanted.has_value() != wanted.has_value() || (wanted && !wanted->served_by(*s.wanted));
  s.wanted = std::move(wanted);
  if (s.state == slot_state::foreign && !s.wanted) {  // never ours to remove
    s.state = slot_state::absent;
    s.applied.reset();
    s.since = {};
  }
  if (!changed) return;
  s.failures = 0;
  s.trouble.reset();
  const bool grace = !s.wanted && held_by_us(s) && !draining_;
  if (grace && options_.delete_grace.count() > 0) return schedule(at, now + options_.delete_grace);
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
    else if (sources_changed && here->second.remembered)
      reschedule(here, now);
  }
  for (const auto& [key, wanted] : desired) set_wanted(slots_.try_emplace(key).first, wanted, now);
  if (epoch != epoch_ && status_ != peer_status::awaiting) request_list(now);
  epoch_ = epoch;
}

void reconcile_fsm::drain(time_point now) {
  draining_ = true;
  for (auto at = slots_.begin(); at != slots_.end();) {
    const auto here = at++;
    here->second.failures = 0;
    set_wanted(here, std::nullopt, now);
  }
  for (auto at = slots_.begin(); at != slots_.end();) reschedule(at++, now);
  list_not_before_ = std::min(list_not_before_, now);
}

void reconcile_fsm::request_list(time_point now) {
  if (status_ == peer_status::syncing) {
    list_again_ = true;
    return;
  }
  status_ = peer_status::awaiting;
  list_not_before_ = now;
}

void reconcile_fsm::peer_changed(time_point now) {
  list_failures_ = 0;
  request_list(now);
}

// ---- asking the peer ------------------------------------------------------------------------------------------------

bool reconcile_fsm::should_list(time_point now) {
  if (status_ != peer_status::awaiting || in_flight_ > 0 || now < list_not_before_) return false;
  status_ = peer_status::syncing;
  list_again_ = false;
  return true;
}

std::vector<forward> reconcile_fsm::listed(const base::result<peer_state>& answer, time_point now) {
  std::vector<forward> lost;
  if (!answer) {
    status_ = peer_status::awaiting;
    peer_trouble_ = answer.error();
    list_not_before_ = now + options_.peer_retry.delay(++list_failures_, random());
    return lost;
  }
  status_ = list_again_ ? peer_status::awaiting : peer_status::synced;
  list_not_before_ = now;
  list_failures_ = 0;
  peer_trouble_.reset();
  if (answer->complete)
    adopt_all(*answer, now, lost);
  else
    adopt_identity(*answer, now);
  identity_ = answer->identity;
  return lost;
}

void reconcile_fsm::adopt_all(const peer_state& answer, time_point now, std::vector<forward>& lost) {
  std::map<port_key, const held_forward*> held;
  for (const auto& h : answer.held) {
    held[h.key] = &h;
    if (!traits_.shared) slots_.try_emplace(h.key);
  }
  for (auto at = slots_.begin(); at != slots_.end();) {
    const auto here = at++;
    const auto found = held.find(here->first);
    const bool ours = !traits_.shared || held_by_us(here->second);
    adopt(here, found == held.end() ? nullptr : found->second, ours, now, lost);
  }
}

void reconcile_fsm::adopt(slot_map::iterator at, const held_forward* held, bool may_be_ours, time_point now,
                          std::vector<forward>& lost) {
  auto& s = at->second;
  const bool was_ours = held_by_us(s);
  const bool exact = held != nullptr && held->exact;
  if (held == nullptr && s.state == slot_state::maybe && now < s.late_until && !draining_) {
    schedule(at, s.wanted ? std::max(s.not_before, now) : s.late_until);
    return;
  }
  if (was_ours && !(exact && may_be_ours)) lost.push_back(*s.applied);
  if (exact && may_be_ours) {
    if (s.state != slot_state::ours) s.since = now;
    if (!was_ours) {  // left by an earlier run: its source is heard before it goes
      s.remembered = true;
      s.source_known = s.wanted.has_value();
    }
    s.applied = as_forward(*held, s.applied ? s.applied : s.wanted);
    s.state = slot_state::ours;
    s.trouble.reset();
    s.failures = 0;
  } else if (exact && s.wanted) {
    if (s.state != slot_state::foreign) s.since = now;
    s.applied = s.wanted;
    s.state = slot_state::foreign;
    s.trouble.reset();
    s.failures = 0;
  } else {
    s.state = slot_state::absent;
    s.applied.reset();
    s.since = {};
    if (held != nullptr) fail(at, {outcome_kind::conflict, "held by another forward of the peer"}, now);
  }
  reschedule(at, now);
}

// A peer that cannot be asked. A new instance holds nothing, except what an operation that was in flight may have
// reached it with: all is unknown again. Of the same one everything stays as it was.
void reconcile_fsm::adopt_identity(const peer_state& answer, time_point now) {
  const bool another = !identity_.empty() && identity_ != answer.identity;
  if (!another && !answer.repeat) return;
  for (auto at = slots_.begin(); at != slots_.end();) {
    const auto here = at++;
    if (here->second.state == slot_state::ours) here->second.state = slot_state::maybe;
    if (another) here->second.since = {};
    reschedule(here, now);
  }
}

// ---- operations -----------------------------------------------------------------------------------------------------

std::vector<operation> reconcile_fsm::take(std::size_t limit, time_point now) {
  std::vector<operation> taken;
  if (status_ != peer_status::synced) return taken;
  for (auto at = due_.begin(); at != due_.end() && at->first <= now && taken.size() < limit;) {
    const auto due = at++;
    auto& s = slots_.at(due->second);
    const auto next = needed(s);
    if (!next || blocked(due->second, *next)) continue;
    taken.push_back({*next, *next == verb::add ? *s.wanted : *s.applied});
    s.in_flight = next;
    ++in_flight_;
    due_.erase(due);
  }
  return taken;
}

// The caller reschedules.
void reconcile_fsm::fail(slot_map::iterator at, const outcome& why, time_point now) {
  auto& s = at->second;
  due_.erase({s.not_before, at->first});
  const auto& retry = why.kind == outcome_kind::refused ? options_.refused_retry : options_.key_retry;
  ++s.failures;
  // A connection that was lost says nothing against the forward: the first time it is tried again at once.
  const unsigned counted = why.kind == outcome_kind::unknown ? s.failures - 1 : s.failures;
  s.trouble = why;
  s.not_before = now + retry.delay(counted, random());
}

void reconcile_fsm::finished(const operation& op, const outcome& result, time_point now) {
  const auto at = slots_.find(op.target.key);
  auto& s = at->second;
  s.in_flight.reset();
  --in_flight_;
  s.remembered = false;
  s.source_known = true;
  const bool add = op.what == verb::add;
  switch (result.kind) {
    case outcome_kind::done:
      s.failures = 0;
      s.trouble.reset();
      if (!add && !s.wanted && now < s.late_until && !draining_) {
        s.state = slot_state::maybe;
        s.applied = op.target;
        return schedule(at, s.late_until);
      }
      s.state = add ? slot_state::ours : slot_state::absent;
      s.applied = add ? std::optional(op.target) : std::nullopt;
      if (!add || s.since == time_point{}) s.since = add ? now : time_point{};
      break;
    case outcome_kind::unknown:
      s.state = slot_state::maybe;
      s.applied = op.target;
      if (add) s.late_until = now + options_.late_limit;
      fail(at, result, now);
      if (status_ == peer_status::synced) request_list(now);
      break;
    case outcome_kind::exists:
    case outcome_kind::conflict:
    case outcome_kind::refused:
      if (add) {
        const bool late = now < s.late_until;
        s.state = late ? slot_state::maybe : slot_state::absent;
        s.applied = late ? std::optional(op.target) : std::nullopt;
        if (!late) s.since = {};
      }
      fail(at, result, now);
      if (result.kind == outcome_kind::exists) request_list(now);
      break;
  }
  reschedule(at, now);
}

// ---- outlook --------------------------------------------------------------------------------------------------------

time_point reconcile_fsm::wake_at(time_point now) const {
  if (status_ == peer_status::awaiting) return in_flight_ > 0 ? time_point::max() : list_not_before_;
  if (status_ == peer_status::syncing) return time_point::max();
  // What is due already is blocked by an operation in flight, whose report comes first.
  const auto next = std::ranges::upper_bound(due_, now, {}, [](const auto& item) { return item.first; });
  return next == due_.end() ? time_point::max() : next->first;
}

bool reconcile_fsm::settled() const { return status_ == peer_status::synced && in_flight_ == 0 && due_.empty(); }

bool reconcile_fsm::may_be_ours(const port_key& key) const {
  const auto at = slots_.find(key);
  return at != slots_.end() && held_by_us(at->second);
}

bool reconcile_fsm::holds_ours() const {
  return in_flight_ > 0 || std::ranges::any_of(slots_, [](const auto& item) { return held_by_us(item.second); });
}

}  // namespace ports
