// chain_plan: the changes after which this program's chain holds the wanted rules alone, and PREROUTING jumps to it
// behind the jumps of all other programs. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "kernel/netfilter/own_rules.hpp"
#include "kernel/netfilter/table_change.hpp"

namespace netfilter {

struct chain_plan {
  table_change change{};  // empty: the table is right
  // For each line the index of the wanted rule that it adds; nothing for other lines.
  std::vector<std::optional<std::size_t>> adds{};
};

// `rules` and `jumps` are of different words each. New rules come before stale ones go where handles are known, so a
// rule that only moves is never missing. Without rules the chain, the jumps and every other rule of ours go.
[[nodiscard]] chain_plan plan_chain(const own_rules& present, const std::vector<rule_spec>& rules,
                                    const std::vector<rule_spec>& jumps);

}  // namespace netfilter
