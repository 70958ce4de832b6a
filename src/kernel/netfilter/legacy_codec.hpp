// legacy_codec: the nat table of iptables-legacy as the kernel hands it out (IPT_SO_GET_ENTRIES): entries one behind
// the other, chains marked by special entries, jumps by offsets. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/netfilter/nat_rule.hpp"

namespace netfilter {

// The user-defined chains whose names begin with one of the prefixes, in order, with their jumps to chains and their
// DNAT rules. Other chains cost almost nothing. Fails on a truncated table and on invalid offsets.
[[nodiscard]] base::result<std::vector<nat_chain>> parse_legacy_table(std::span<const std::byte> entries, family which,
                                                                      std::span<const std::string_view> prefixes);

// Differs when any rule differs; counters do not count.
[[nodiscard]] std::uint64_t fingerprint_legacy_table(std::span<const std::byte> entries, family which);

}  // namespace netfilter
