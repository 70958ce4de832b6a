// soak: containers, Services, listeners and rules come and go at random while every part is killed, stalled and
// starved, for minutes or hours; at each pause everything is compared with what it has to be. `./dev soak`,
// docs/testing.md.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>

#include "base/text.hpp"
#include "program/command_line.hpp"
#include "tests/soak/session.hpp"

namespace {

volatile std::sig_atomic_t interrupted = 0;

void note_signal(int) { interrupted = 1; }

// Calls that wait return: without SA_RESTART.
void catch_signals() {
  struct sigaction action{};
  action.sa_handler = note_signal;
  for (const int number : {SIGINT, SIGTERM}) ::sigaction(number, &action, nullptr);
}

template <class Number>
auto between(Number least, Number most) {
  return [least, most](std::string_view text) -> base::result<Number> {
    const auto number = base::parse_number<Number>(text);
    if (!number || *number < least || *number > most)
      return base::fail("not a number from " + std::to_string(least) + " to " + std::to_string(most));
    return *number;
  };
}

struct command_line_options {
  soak::session_options session;
  std::string programs = "build/bin", logs;
};

command_line_options read_options(int argc, char** argv) {
  command_line_options o;
  std::uint32_t minutes = 10, between_pauses = 40, seed = std::random_device{}();
  program::command_line line({"soak",
                              "Publishes and withdraws ports at random and kills, stalls and starves every part "
                              "meanwhile. Compares everything with what it has to be at each pause. Needs root. Ends "
                              "with 1 after a finding."});
  line.flags().add("minutes", minutes, between(1U, 100'000U), "How many `minutes` the load lasts.");
  line.flags().add("seed", seed, between(0U, UINT32_MAX), "random",
                   "Orders the same operations again: the `number` of an earlier run.");
  line.flags().add("pause", between_pauses, between(1U, 10'000U), "How many `operations` lie between two checks.");
  line.flags().add("stop", o.session.stops_at_finding, "End at the first finding.");
  line.flags().add("debug", o.session.debug, "The programs write debug lines, and the size of logs is not checked.");
  line.flags().add("logs", o.logs, "Copy the programs' logs to this `directory` at the end.");
  line.flags().add("programs", o.programs, "The `directory` of our programs.");
  if (const auto code = line.parse(argc, argv)) std::exit(*code);  // NOLINT(concurrency-mt-unsafe): one thread
  o.session.length = std::chrono::minutes(minutes);
  o.session.seed = seed;
  o.session.operations_between_pauses = between_pauses;
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = read_options(argc, argv);
  ::setenv("GUESTAGENT_PROGRAM_DIR", options.programs.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
  if (const auto missing = soak::arena::missing(); !missing.empty()) {
    std::fprintf(stderr, "soak: %s\n", missing.c_str());
    return program::exit_failure;
  }
  catch_signals();
  try {
    soak::session session(options.session, [] { return interrupted != 0; });
    bool clean = false;
    try {
      clean = session.run();
    } catch (const std::exception& failed) {
      std::fprintf(stderr, "soak: %s\n", failed.what());
    }
    if (!options.logs.empty()) session.keep_logs(options.logs);
    std::printf("\n%s", session.summary().c_str());
    return clean ? program::exit_ok : program::exit_failure;
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "soak: %s\n", failed.what());
    return program::exit_failure;
  }
}
