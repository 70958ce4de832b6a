// legacy_table: the kernel's own copy of iptables-legacy's nat table. Reading it takes neither a program nor the lock
// of the programs: the kernel returns the table before or after a change. All functions concern the calling thread's
// network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/netfilter/nat_rule.hpp"

namespace netfilter {

// Whether the table exists; a kernel without ip_tables has none. Any other request would make the kernel create it.
// Fails if the kernel does not say.
[[nodiscard]] base::result<bool> has_legacy_nat(family which);
// The same for another table, such as "raw".
[[nodiscard]] base::result<bool> has_legacy_table(family which, std::string_view name);

// The size can be read without copying the table, and most changes alter it.
struct legacy_size {
  unsigned bytes = 0, entries = 0;
  bool operator==(const legacy_size&) const = default;
};
// Nothing if there is no such table. Fails if the kernel does not say.
[[nodiscard]] base::result<std::optional<legacy_size>> size_of_legacy_nat(family which);

// See parse_legacy_table(). No chains if there is no such table. A table that changes meanwhile is read again. Fails
// with resource_unavailable_try_again if it keeps changing.
[[nodiscard]] base::result<std::vector<nat_chain>> read_legacy_nat(family which,
                                                                   std::span<const std::string_view> prefixes);

// Differs when any rule of IPv4 differs; counters do not count. Only for a table that exists.
[[nodiscard]] base::result<std::uint64_t> legacy_nat_fingerprint();

}  // namespace netfilter
