// tap_interface: which interface has the tap's address, which addresses the machine has at all, and what is sent on
// past the nat table.
#pragma once

#include "base/result.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

// Asks the kernel, in the network namespace of the calling thread.
[[nodiscard]] base::result<machine_state> look_at_machine(const rule_options& options);

}  // namespace loopback
