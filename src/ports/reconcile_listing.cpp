// What the peer's list says about each slot: its half of reconcile_fsm.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "ports/binding.hpp"
#include "ports/peer_listing.hpp"
#include "ports/reconcile_fsm.hpp"
#include "ports/retry_state.hpp"
#include "ports/sink.hpp"
#include "ports/slot.hpp"

namespace ports {
namespace {

const forward* wanted_of(const slot& s) { return s.wanted ? &*s.wanted : nullptr; }

// What the peer reported, as a forward. If it does not know the container port and the owner, `like` fills them in.
forward as_forward(const held_forward& held, const forward* like) {
  forward made = like != nullptr ? *like : forward{held.key, held.container_port, {}, held.owner};
  if (held.container_port != 0) made.container_port = held.container_port;
  if (!held.owner.empty()) made.owner = held.owner;
  made.remapped_from = held.remapped_from;
  return made;
}

// Whether the peer's forward is what the agent has made, or would make. While an addition may still be carried out, it
// may be any of those that had no answer.
bool is_exact(const slot& s, const held_forward& held, time_point now) {
  if (s.state() == slot_state::uncertain && now < s.late_until) return held.exact;
  const auto* expected = s.may_be_ours() ? s.applied() : wanted_of(s);
  return held.exact && (expected == nullptr || expected->remapped_from == held.remapped_from);
}

// Whether this is the first list since an addition was left without an answer, by this run or by a killed one. What the
// killed one left has been carried out if the list has the key.
bool begins_late_limit(const slot& s, const held_forward* held) {
  const bool left = held == nullptr && s.state() == slot_state::uncertain && s.from() == origin::journal;
  return s.late_until == time_point::max() || (left && s.late_until == time_point{});
}

}  // namespace

bool reconcile_fsm::should_list(time_point now) {
  if (in_flight_ > 0 || !listing_.is_due(now)) return false;
  listing_.start();
  return true;
}

std::vector<forward> reconcile_fsm::listed(const base::result<peer_state>& answer, time_point now) {
  std::vector<forward> lost;
  if (!answer) {
    listing_.failed(answer.error(), options_.peer_retry, now, random());
    return lost;
  }
  listing_.succeeded(now);
  answers_ = answer->complete;
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
    adopt(here, found == held.end() ? nullptr : found->second, now, lost);
  }
}

slot_event reconcile_fsm::listed_event(const slot& s, const held_forward* held, time_point now) const {
  if (held == nullptr) {
    const bool late = s.state() == slot_state::uncertain && now < s.late_until && !draining_;
    return late ? slot_event::listed_missing_late : slot_event::listed_missing;
  }
  if (!is_exact(s, *held, now)) return slot_event::listed_other;
  return traits_.shared ? slot_event::listed_exact : slot_event::listed_exact_own;
}

void reconcile_fsm::adopt(slot_map::iterator at, const held_forward* held, time_point now, std::vector<forward>& lost) {
  auto& s = at->second;
  if (begins_late_limit(s, held)) s.late_until = now + options_.late_limit;
  const auto event = listed_event(s, held, now);
  if (event == slot_event::listed_missing_late)
    return schedule(at, s.wanted ? std::max(s.retry.not_before, now) : s.late_until);
  const auto next = next_state(s.state(), event);
  if (s.may_be_ours() && next != slot_state::ours) lost.push_back(*s.applied());
  std::optional<forward> value = s.wanted;
  if (next == slot_state::ours) value = as_forward(*held, s.applied() != nullptr ? s.applied() : wanted_of(s));
  s.apply(event, value, now);
  if (!needed(s)) s.wanted_since = {};
  judge_listed(at, event, now);
  reschedule(at, now);
}

// What the list says about the key ends its troubles, or begins one.
void reconcile_fsm::judge_listed(slot_map::iterator at, slot_event event, time_point now) {
  auto& s = at->second;
  const bool in_the_way = event == slot_event::listed_other;
  const bool known = std::exchange(s.retry.in_the_way, in_the_way);
  if (s.state() != slot_state::absent || known != in_the_way) s.retry.forgive();
  if (in_the_way) find_in_the_way(at, known, now);
}

// Each list shows whether it has gone. The addition is tried, too, at a growing pace, for a peer that is seldom listed.
void reconcile_fsm::find_in_the_way(slot_map::iterator at, bool known, time_point now) {
  const outcome held{outcome_kind::conflict, "held by another forward of the peer"};
  if (known)
    at->second.retry.trouble = std::make_shared<const outcome>(held);
  else
    fail(at, held, now);
}

// A peer that cannot be asked. A new instance holds nothing, except what an operation that was in flight may have
// reached it with: all is unknown again. Of the same one everything stays as it was.
void reconcile_fsm::adopt_identity(const peer_state& answer, time_point now) {
  const bool another = !identity_.empty() && identity_ != answer.identity;
  if (!another && !answer.repeat) return;
  for (auto at = slots_.begin(); at != slots_.end();) {
    const auto here = at++;
    here->second.apply(slot_event::peer_unsure, std::nullopt, now);
    if (another) here->second.reset_since();
    reschedule(here, now);
  }
}

}  // namespace ports
