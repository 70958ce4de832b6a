// snapshot: everything that one source knows at one moment. Sources publish whole snapshots, not commands, so a lost or
// duplicate message leaves nothing behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ports/binding.hpp"

namespace ports {

// A port or object that a source found and does not publish, with the reason. The status shows it.
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
  // Counts the source's fresh starts: one more for each list after a reconnection. Peers are then listed again, because
  // an engine that restarts may have flushed rules.
  std::uint64_t epoch = 0;
  // Why some ports may be missing although the source can be read. The status then shows the source as degraded. Empty:
  // none are missing.
  std::string doubt{};

  bool operator==(const snapshot&) const = default;
};

}  // namespace ports
