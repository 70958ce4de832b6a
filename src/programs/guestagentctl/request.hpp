// request: what guestagentctl was asked for on its command line.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "program/command_line.hpp"
#include "programs/guestagentctl/explain.hpp"
#include "programs/guestagentctl/port_filter.hpp"

namespace guestagentctl {

// Of `ports -wait`.
inline constexpr int exit_timeout = 3;   // it is not open, or does not answer
inline constexpr int exit_conflict = 4;  // and a peer reports that it is in use
inline constexpr int exit_left_out = 5;  // a rule or the policy leaves it out; returned at once

struct request {
  std::string socket = "/run/rancher-desktop-guestagent.sock";
  std::string command;
  guestagentctl::question question{};  // of `explain`
  bool json = false;
  bool watch = false;
  port_filter filter{};                           // of `ports`
  std::optional<guestagentctl::question> wait{};  // of `ports`: the port, with its protocol
  std::string rules_file{};                       // of `rules check`; of `rules show` empty
  std::chrono::milliseconds timeout{30'000};      // for the port of -wait, and for an agent that is away
};

[[nodiscard]] program::about describe_program();
void add_flags(program::flag_set& flags, request& r);
// After the flags were read: the command with its argument. Fails for a flag that the command does not have.
[[nodiscard]] base::result<> complete(request& r, const program::command_line& given);

}  // namespace guestagentctl
