// snapshot: all that one source knows, at one moment. Sources publish whole snapshots and never commands, so a lost or
// doubled message cannot leave anything behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ports/binding.hpp"

namespace ports {

// Something a source saw and does not publish, with the reason: shown in the status, dropped in silence never.
struct refusal {
  std::string owner;
  std::string what;  // "8080/sctp", "nerdctl/ports"
  std::string why;

  auto operator<=>(const refusal&) const = default;
};

// Of one source: each port of each protocol, once.
inline constexpr std::size_t max_bindings = 131'072;

struct snapshot {
  std::vector<binding> bindings;  // at most max_bindings: sources cap it
  std::vector<refusal> refusals;  // at most a few hundred: sources cap it
  // Counts the source's fresh starts: one more whenever it lists anew after it was connected again. Peers are then
  // verified against what they really hold, since an engine that restarts may have flushed rules.
  std::uint64_t epoch = 0;
  // Why some ports may be missing although the source is read, for the status, which calls the source degraded; empty:
  // none are.
  std::string doubt{};

  bool operator==(const snapshot&) const = default;
};

}  // namespace ports
