// program: what every program here does alike before its real work: flags, -h, --version, error texts, exit codes.
//   0  it did its work, or was asked for help or to stop      1  it failed      2  its command line was wrong
#pragma once

#include <optional>
#include <string_view>

#include "base/go_flags.hpp"

namespace base {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

// Adds -version to `flags` and parses argv. Answers the exit code with which to end at once (help, version, a wrong
// command line; each has been printed), or nothing: go on.
[[nodiscard]] std::optional<int> parse_command_line(flag_set& flags, int argc, const char* const* argv);

// "<program>: message" on stderr; answers the exit code.
int report_failure(std::string_view program, std::string_view message, int exit_code = exit_failure);

// As many descriptors as the system allows: a range of thousands of ports is thousands of sockets.
void raise_descriptor_limit();

}  // namespace base
