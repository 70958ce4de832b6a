// xt_codec: matches and targets of x_tables in the kernel's layout. Rules of iptables-legacy consist of them, and those
// of iptables-nft in part. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "kernel/netfilter/nat_rule.hpp"

namespace netfilter {

// A name in a field of fixed size: up to its zero.
[[nodiscard]] std::string_view text_of(std::span<const std::byte> field);

// Adds the match, or the target, to the rule. One that is unknown, truncated, or wider than one port or one address
// makes the rule unclear.
void read_match(nat_rule& into, std::string_view name, unsigned revision, std::span<const std::byte> info);
void read_target(nat_rule& into, std::string_view name, unsigned revision, std::span<const std::byte> info,
                 family which);
// By its number in the IP header; 0: any.
void read_protocol(nat_rule& into, unsigned number);

}  // namespace netfilter
