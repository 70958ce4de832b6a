// command_line: the part of the command line that all programs share: flags by Go's rules, -version, -h, and, if the
// program has commands, one of them before, between or after the flags. The exit codes are shared, too:
//   0  finished, printed help, or was stopped      1  failed      2  wrong command line
//
// A wrong command line prints the reason first, as Go does, then the usage, and the reason again as the last line: the
// usage may be longer than the screen.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "program/go_flags.hpp"

namespace program {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

// What a program declares about itself.
struct about {
  std::string name;                     // also the component of its log lines
  std::string description;              // the help text above the flags; "\n\n" between paragraphs
  std::vector<std::string> commands{};  // one of them is required; empty: there are none
};

class command_line {
 public:
  explicit command_line(about what);
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;

  // Declare flags before parse(). -version and -h are declared already.
  [[nodiscard]] program::flag_set& flags() { return flags_; }

  // Returns the exit code if the program should end at once: help, version or a wrong command line, which it has
  // printed. Otherwise returns nothing.
  [[nodiscard]] std::optional<int> parse(int argc, const char* const* argv);

  [[nodiscard]] const std::string& command() const { return command_; }  // empty if there are none
  [[nodiscard]] bool is_set(std::string_view flag) const { return flags_.is_set(flag); }

 private:
  base::result<program::parse_outcome> read(const std::vector<std::string>& words);

  about what_;
  program::flag_set flags_;
  bool version_ = false;
  std::string command_;
};

// Prints "<program>: message" on stderr and returns the exit code.
int report_failure(std::string_view program, std::string_view message, int exit_code = exit_failure);

}  // namespace program
