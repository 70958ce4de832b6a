// session: one soak: operations by the plan until its time is over or a signal ends it, with a check at each pause and
// a last one when everything is removed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/soak/actor.hpp"
#include "tests/soak/arena.hpp"
#include "tests/soak/plan.hpp"
#include "tests/soak/tally.hpp"
#include "tests/soak/usage.hpp"
#include "tests/soak/witness.hpp"

namespace soak {

struct session_options {
  std::chrono::minutes length{10};
  std::uint64_t seed = 1;
  unsigned operations_between_pauses = 40;
  bool stops_at_finding = false;
  bool debug = false;
};

class session {
 public:
  // `interrupted`: whether to end now, with the summary alone.
  session(const session_options& options, std::function<bool()> interrupted);

  // Whether there was no finding. Prints progress and findings to stdout.
  bool run();
  [[nodiscard]] std::string summary() const { return tally_.summary(now()); }
  // Copies the programs' logs there.
  void keep_logs(const std::string& directory) const;

 private:
  using clock = std::chrono::steady_clock;
  [[nodiscard]] tally::duration now() const;
  [[nodiscard]] bool goes_on() const;
  operation step();
  void check();                  // at a pause
  void check_ended();            // parts that have ended by themselves
  void check_nothing_is_left();  // at the end
  [[nodiscard]] std::vector<difference> settle(exposures& wanted);
  void stop_programs();
  void report(const std::vector<difference>& found);
  void show_progress(bool at_once = false);

  session_options options_;
  std::function<bool()> interrupted_;
  clock::time_point begin_ = clock::now(), shown_{};
  arena arena_;
  actor actor_;
  witness witness_;
  usage usage_;
  plan plan_;
  tally tally_;
  std::size_t operations_since_check_ = 0;
  clock::time_point last_check_ = clock::now();
  bool was_stopped_ = false;  // by a finding
};

}  // namespace soak
