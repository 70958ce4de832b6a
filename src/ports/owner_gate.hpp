// owner_gate: a port that only a rule or a socket claims, while a port rule asks for the owner, waits for a source that
// knows owners. An engine's DNAT rule is there before the engine reports the container: without the wait, the port
// would be open for a moment although a rule leaves it out or moves it. Pure: time is an argument.
//
// It waits while a source that knows owners cannot be read, and otherwise for a time limit from its first appearance. A
// port that is open already stays open.
#pragma once

#include <chrono>
#include <map>

#include "ports/exposure_policy.hpp"
#include "ports/port_table.hpp"
#include "ports/retry_state.hpp"

namespace ports {

class owner_gate {
 public:
  explicit owner_gate(std::chrono::milliseconds patience = std::chrono::milliseconds(1'000)) : patience_(patience) {}

  // Puts off `not_before` of the plan's ports.
  void hold_back(exposure_plan& plan, const port_table& table, time_point now);

 private:
  std::chrono::milliseconds patience_;
  std::map<port_key, time_point> waiting_;  // since when; at most the ports of the plan
};

}  // namespace ports
