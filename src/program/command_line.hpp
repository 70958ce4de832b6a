// command_line: what every program here understands alike: flags by Go's rules, -version, -h, and, where the program
// has commands, one of them before, between or behind the flags. And how they end:
//   0  it did its work, or was asked for help or to stop      1  it failed      2  its command line was wrong
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

// What a program says of itself.
struct about {
  std::string name;                     // as it is called; also the component of its own lines in the log
  std::string description;              // its manual page above the flags; "\n\n" between paragraphs
  std::vector<std::string> commands{};  // one of which has to be given; empty: there are none
};

class command_line {
 public:
  explicit command_line(about what);
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;

  // To be declared before parse(). -version and -h are there already.
  [[nodiscard]] program::flag_set& flags() { return flags_; }

  // Answers the exit code with which to end at once (help, version, a wrong command line; each has been printed), or
  // nothing: go on.
  [[nodiscard]] std::optional<int> parse(int argc, const char* const* argv);

  [[nodiscard]] const std::string& command() const { return command_; }  // empty where there are none
  [[nodiscard]] bool is_set(std::string_view flag) const { return flags_.is_set(flag); }

 private:
  base::result<program::parse_outcome> read(const std::vector<std::string>& words);

  about what_;
  program::flag_set flags_;
  bool version_ = false;
  std::string command_;
};

// "<program>: message" on stderr; answers the exit code.
int report_failure(std::string_view program, std::string_view message, int exit_code = exit_failure);

}  // namespace program
