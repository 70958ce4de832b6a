#include "ports/serving_gate.hpp"

#include <utility>

#include "ports/exposure_policy.hpp"
#include "ports/reconcile_fsm.hpp"
#include "ports/retry_state.hpp"
#include "ports/sink.hpp"
#include "ports/slot.hpp"

namespace ports {
namespace {

bool has_answered(const reconcile_fsm& loopback, const forward& wanted) {
  const auto at = loopback.slots().find(wanted.key);
  if (at == loopback.slots().end()) return false;
  const auto& s = at->second;
  if (s.retry.trouble) return true;
  return s.state() == slot_state::ours && !s.in_flight && wanted.served_by(*s.applied());
}

}  // namespace

bool serving_gate::hold_back(exposure_plan& plan, const reconcile_fsm& loopback, time_point now) {
  const auto before = std::exchange(waiting_, {});
  const auto inside = part_of(plan, peer_role::loopback);
  bool released = false;
  for (auto& port : plan.ports) {
    if (!port.bound) continue;
    const auto known = before.find(*port.bound);
    const bool answered = has_answered(loopback, inside.at(*port.bound));
    released |= answered && known != before.end();
    const auto until = known == before.end() ? now + patience_ : known->second;
    if (!answered) waiting_.emplace(*port.bound, until);
    port.not_before = answered ? time_point{} : until;
  }
  return released;
}

}  // namespace ports
