// The goals of the virtual network, as ratios of one run, and whether they hold.
#pragma once

#include "tests/bench/network/table.hpp"

namespace bench {

// Prints a line for each goal: what it asks for, what was measured, and yes, no, or that it was not measured. The last
// ones only `with_unmeasured`.
void print_goals(const table& t, bool with_unmeasured);

}  // namespace bench
