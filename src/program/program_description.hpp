// program_description: what a program declares about itself, for its usage, its manual and the completions of shells.
#pragma once

#include <string>
#include <vector>

namespace program {

struct command {
  std::string name;
  std::string argument{};  // what its one word is called in the usage; that word is required. Empty: it has none
  std::string further{};   // what an optional second word is called. Empty: there is none
};

// A code with which this program alone exits, besides the ones of all (command_line.hpp).
struct exit_code {
  int code = 0;
  std::string meaning;  // "the port is not open in time"
};

// What a program declares about itself.
struct about {
  std::string name;                 // also the component of its log lines
  std::string description;          // the help text above the flags; "\n\n" between paragraphs
  std::vector<command> commands{};  // one of them is required; empty: there are none
  std::vector<exit_code> exit_codes{};
};

}  // namespace program
