// serving_gate: a port is served inside the VM before it is opened on a host. A port that needs the loopback sink is
// held back at the other peers until that sink has answered, good or bad, or until a time limit. A host's port that is
// already open stays open, and a port that needs no loopback rule is not delayed. Pure: time is an argument.
#pragma once

#include <chrono>
#include <map>

#include "ports/exposure_policy.hpp"
#include "ports/reconcile_fsm.hpp"

namespace ports {

class serving_gate {
 public:
  explicit serving_gate(std::chrono::milliseconds patience = std::chrono::milliseconds(100)) : patience_(patience) {}

  // Sets `not_before` of the plan's forwards. True if a port that was held back at the last call is released.
  bool hold_back(exposure_plan& plan, const reconcile_fsm& loopback, time_point now);

  // True if a port is held back: call again after an answer of the loopback sink.
  [[nodiscard]] bool waits() const { return !waiting_.empty(); }

 private:
  std::chrono::milliseconds patience_;
  std::map<port_key, time_point> waiting_;  // key inside the VM: the time limit; at most the ports of the plan
};

}  // namespace ports
