// witness: compares what has to be open with what is: at host-switch, at wsl-proxy, in the agent's status, journal and
// rules, and to clients on both sides.
#pragma once

#include <string>
#include <vector>

#include "tests/soak/arena.hpp"
#include "tests/soak/expectation.hpp"
#include "tests/soak/tally.hpp"

namespace soak {

class witness {
 public:
  explicit witness(arena& where) : arena_(where) {}

  // All differences at this moment. The clients come last, and only if the rest is right.
  [[nodiscard]] std::vector<difference> compare(const exposures& wanted) const;
  // The names of the invariants that compare() checks.
  [[nodiscard]] static std::vector<std::string> invariants();

  // Rules of the agent's in the VM, of every kind, as iptables-save prints them.
  [[nodiscard]] std::vector<std::string> rules_left() const;

 private:
  using differences = std::vector<difference>;
  void compare_host(const exposures& wanted, differences& found) const;
  void compare_wsl(const exposures& wanted, differences& found) const;
  void compare_status(const exposures& wanted, differences& found) const;
  void compare_rules(const exposures& wanted, differences& found) const;
  void compare_journals(const exposures& wanted, differences& found) const;
  void compare_answers(const exposures& wanted, differences& found) const;
  void compare_refusals(const exposures& wanted, differences& found) const;

  arena& arena_;
};

}  // namespace soak
