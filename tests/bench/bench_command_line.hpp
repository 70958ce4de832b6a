// bench_command_line: the options of a bench, by the rules of all our programs: -name VALUE or --name=VALUE, -h. What
// it refuses ends the program with 2, help with 0.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "program/command_line.hpp"

namespace bench {

class command_line {
 public:
  command_line(std::string name, std::string description) : line_({std::move(name), std::move(description)}) {}

  [[nodiscard]] program::flag_set& flags() { return line_.flags(); }

  // A number from `least` on; a million is enough.
  void add_count(std::string name, std::int64_t& value, std::string help, std::int64_t least = 1) {
    const auto read = [least](std::string_view text) -> base::result<std::int64_t> {
      constexpr std::int64_t most = 1'000'000;
      const auto number = base::parse_number<std::int64_t>(text);
      if (!number || *number < least || *number > most)
        return base::fail("not a number from " + std::to_string(least) + " to " + std::to_string(most));
      return *number;
    };
    flags().add(std::move(name), value, read, std::move(help));
  }
  void add_programs(std::string& directory) { flags().add("programs", directory, "The `directory` of our programs."); }

  void parse(int argc, char** argv) {
    if (const auto code = line_.parse(argc, argv)) std::exit(*code);  // NOLINT(concurrency-mt-unsafe): one thread
  }

 private:
  program::command_line line_;
};

// What the benches that measure the agent are called with.
struct agent_options {
  std::string programs = "build/bin";
  std::int64_t idle_seconds = 60;
  bool brisk = false;  // without phases of quiet
};

// `at_zero`: what the bench does with 0 seconds; empty: 0 is refused.
inline agent_options read_agent_options(const char* name, const char* description, const std::string& at_zero, int argc,
                                        char** argv) {
  agent_options o;
  command_line line(name, description);
  line.add_programs(o.programs);
  line.add_count("seconds", o.idle_seconds,
                 "How many `seconds` each idle phase takes" + (at_zero.empty() ? "." : "; 0: " + at_zero),
                 at_zero.empty() ? 1 : 0);
  if (!at_zero.empty()) line.flags().add("brisk", o.brisk, "Leave out the phases in which nothing happens.");
  line.parse(argc, argv);
  return o;
}

}  // namespace bench
