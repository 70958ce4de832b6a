// The goals of the virtual network, as ratios of one run, and whether they hold.
#pragma once

#include "tests/bench/network/table.hpp"

namespace bench {

struct goals_options {
  bool with_unmeasured = false;  // also the goals without figures
  bool markdown = false;         // for a document
};

// Prints a line for each goal: what it asks for, what was measured, and whether it is met; then how many are.
void print_goals(const table& t, const goals_options& how);

}  // namespace bench
