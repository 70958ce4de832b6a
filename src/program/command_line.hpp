// command_line: the part of the command line that all programs share: flags by Go's rules, -version, -h, and, if the
// program has commands, one of them and its argument before, between or after the flags. The exit codes are shared,
// too:
//   0  finished, printed help, or was stopped      1  failed      2  wrong command line
//
// For packages, `-man` as the only word prints the program's manual page, and `-completions bash`, zsh or fish the file
// by which that shell completes its command lines. Both come from the table of flags, as -h does, which does not list
// them.
//
// A program that cannot print what was asked for fails.
//
// A wrong command line prints the reason first, as Go does, then the usage, and the reason again as the last line: the
// usage may be longer than the screen.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "program/go_flags.hpp"
#include "program/program_description.hpp"

namespace program {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

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

  [[nodiscard]] const std::string& command() const { return command_; }    // empty if there are none
  [[nodiscard]] const std::string& argument() const { return argument_; }  // of the command; empty if it has none
  [[nodiscard]] const std::optional<std::string>& further() const { return further_; }  // its second word, if given
  [[nodiscard]] bool is_set(std::string_view flag) const { return flags_.is_set(flag); }

 private:
  [[nodiscard]] std::optional<std::string> document_for(const std::vector<std::string>& words) const;
  base::result<program::parse_outcome> read(const std::vector<std::string>& words);
  base::result<> take_word(const std::string& word);
  [[nodiscard]] base::result<> find_missing() const;
  [[nodiscard]] int end(const base::result<>& printed) const;

  about what_;
  program::flag_set flags_;
  bool version_ = false;
  std::string command_;
  std::string argument_;
  bool has_argument_ = false;
  std::optional<std::string> further_;
};

// Prints "<program>: message" on stderr, as far as that takes it, and returns the exit code.
int report_failure(std::string_view program, std::string_view message, int exit_code = exit_failure);

}  // namespace program
