// rule_label: what follows "TAG:" in the comment of a rule of ours. For a port's rule it is the owner, so that a later
// run finds out whose port the rule serves. Pure.
#pragma once

#include <string_view>

namespace loopback {

inline constexpr std::string_view listener_label = "listener";  // of a port without an owner
inline constexpr std::string_view unnamed_label = "unnamed";    // of an owner that is not a plain id
inline constexpr std::string_view peer_label = "peer";          // of the jumps from PREROUTING

// Fit for a comment: 1 to 200 letters, digits, '_', '.', '-', '/'.
[[nodiscard]] bool is_plain_id(std::string_view text);

[[nodiscard]] std::string_view label_of(std::string_view owner);

}  // namespace loopback
