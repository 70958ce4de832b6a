// legacy_guard: rules of ours that refuse packets, at the head of a chain of iptables-legacy. For kernels without
// nftables, where endpoint_guard cannot have a table of its own.
#pragma once

#include <string>
#include <vector>

#include "async/task.hpp"
#include "kernel/netfilter/nat_tool.hpp"

namespace netfilter {

struct legacy_place {
  std::string table;    // "filter"
  std::string chain;    // "FORWARD"
  std::string comment;  // a rule is ours if its comment begins with this
};

// Makes the wanted rules the first of the chain, and removes all others of ours. An engine inserts its rules at the
// head too; ours then move in front of them. With `wanted` empty none is left.
async::task<base::result<>> settle_legacy_guard(nat_tool tool, legacy_place place, std::vector<rule_spec> wanted);

}  // namespace netfilter
