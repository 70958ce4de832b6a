#include "ports/serving_gate.hpp"

#include <utility>

#include "ports/binding.hpp"
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

void hold(forward_map& forwards, const port_key& key, time_point until) {
  if (const auto at = forwards.find(key); at != forwards.end()) at->second.not_before = until;
}

}  // namespace

bool serving_gate::hold_back(exposure_plan& plan, const reconcile_fsm& loopback, time_point now) {
  const auto before = std::exchange(waiting_, {});
  bool released = false;
  for (const auto& port : plan.ports) {
    if (!port.bound) continue;
    const auto known = before.find(*port.bound);
    const bool answered = has_answered(loopback, plan.loopback.at(*port.bound));
    released |= answered && known != before.end();
    const auto until = known == before.end() ? now + patience_ : known->second;
    if (!answered) waiting_.emplace(*port.bound, until);
    const auto opens = answered ? time_point{} : until;
    hold(plan.host, port.key, opens);
    hold(plan.listeners, port.key, opens);
    if (port.for_wsl) hold(plan.wsl, *port.for_wsl, opens);
  }
  return released;
}

}  // namespace ports
