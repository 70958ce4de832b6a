// snapshot: everything that one source knows at one moment. Sources publish whole snapshots, not commands, so a lost or
// duplicate message leaves nothing behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/shared_text.hpp"
#include "ports/binding.hpp"

namespace ports {

// A port or object that a source found and does not publish, with the reason. The status shows it.
struct refusal {
  std::string owner;
  std::string what;  // "8080/sctp", "nerdctl/ports"
  std::string why;
  std::string_view kind{};  // of a socket: a literal that names the reason, "ignored"; empty: there is none

  auto operator<=>(const refusal&) const = default;
};

// A container that runs and publishes no port. The status names it, so that it differs from one that does not exist.
struct portless {
  base::shared_text owner;
  base::shared_text owner_name;

  auto operator<=>(const portless&) const = default;
};

inline constexpr std::size_t max_portless = 1'000;

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
  std::vector<portless> without_ports{};  // at most max_portless
  std::uint64_t more_without_ports = 0;   // of those that are not named

  bool operator==(const snapshot&) const = default;
};

}  // namespace ports
