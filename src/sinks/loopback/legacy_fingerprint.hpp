// legacy_fingerprint: whether iptables-legacy's nat table is still the one that was looked at. It announces no changes,
// and running a program every second to see them would cost too much; the kernel's own copy is read instead.
#pragma once

#include <cstdint>
#include <optional>

namespace loopback {

// Differs when any rule differs; counters do not count. nullopt where the table cannot be read. Only for a table that
// exists: the kernel makes one otherwise. Of the calling thread's network namespace.
[[nodiscard]] std::optional<std::uint64_t> legacy_nat_fingerprint();

}  // namespace loopback
