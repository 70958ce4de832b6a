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

// What a program declares about itself.
struct about {
  std::string name;                 // also the component of its log lines
  std::string description;          // the help text above the flags; "\n\n" between paragraphs
  std::vector<command> commands{};  // one of them is required; empty: there are none
};

}  // namespace program
