// serving_gate: what is opened on a host is served inside the VM first. A port that needs the loopback sink is held
// back at the other peers until that sink has answered, good or bad, or until its patience ends. A host's port that is
// open already stays open, and a port that needs no loopback rule is not touched. Pure: time is an argument.
#pragma once

#include <chrono>
#include <map>

#include "ports/exposure_policy.hpp"
#include "ports/reconcile_fsm.hpp"

namespace ports {

class serving_gate {
 public:
  explicit serving_gate(std::chrono::milliseconds patience = std::chrono::milliseconds(100)) : patience_(patience) {}

  // Sets `not_before` of the plan's forwards. True if one that was held back at the last call is not any more.
  bool hold_back(exposure_plan& plan, const reconcile_fsm& loopback, time_point now);

  // Something is held back: an answer of the loopback sink is worth another call.
  [[nodiscard]] bool waits() const { return !waiting_.empty(); }

 private:
  std::chrono::milliseconds patience_;
  std::map<port_key, time_point> waiting_;  // key inside the VM: when the patience ends; at most what the plan has
};

}  // namespace ports
