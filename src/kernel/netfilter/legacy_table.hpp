// legacy_table: the kernel's own copy of iptables-legacy's nat table. It is read without running a program, and without
// the lock of the programs: the kernel hands out the table before a change or behind it. All functions concern the
// calling thread's network namespace.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/netfilter/nat_rule.hpp"

namespace netfilter {

// Whether there is one; a kernel without ip_tables has none. To ask any further question would make the kernel create
// it. Fails where the kernel does not say.
[[nodiscard]] base::result<bool> has_legacy_nat(family which);
// The same of another table, "raw".
[[nodiscard]] base::result<bool> has_legacy_table(family which, std::string_view name);

// What can be learnt without copying the table: most changes change it.
struct legacy_size {
  unsigned bytes = 0, entries = 0;
  bool operator==(const legacy_size&) const = default;
};
// Nothing where there is no such table. Fails where the kernel does not say.
[[nodiscard]] base::result<std::optional<legacy_size>> size_of_legacy_nat(family which);

// See parse_legacy_table(). No chains where there is no such table. A table that changes meanwhile is read again; fails
// with resource_unavailable_try_again where it does not come to rest.
[[nodiscard]] base::result<std::vector<nat_chain>> read_legacy_nat(family which,
                                                                   std::span<const std::string_view> prefixes);

// Differs when any rule of IPv4 differs; counters do not count. Only for a table that exists.
[[nodiscard]] base::result<std::uint64_t> legacy_nat_fingerprint();

}  // namespace netfilter
