// tally: what a soak has done and found so far, and the texts about it: a finding with the operations before it, a line
// of progress, the summary. Pure: the time is an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/soak/operation.hpp"

namespace soak {

// One thing that is not as it has to be.
struct difference {
  std::string invariant;  // "exposed = published", "memory" …
  std::string what;
};

class tally {
 public:
  using duration = std::chrono::milliseconds;

  explicit tally(std::uint64_t seed) : seed_(seed) {}

  // `refusal`: why it was not done; empty: done. An engine may refuse what a fault made pointless.
  void note(const operation& o, duration at, std::string_view refusal = {});
  void note_invariant(std::string_view name) { ++invariants_[std::string(name)]; }
  // At a pause everything was right after so long; `last`: what was wrong until then, if anything was.
  void note_settled(duration after, duration at, const std::vector<difference>& last);
  void note_memory(std::string_view program, std::size_t bytes);
  // The text to print: when, the seed, what differs, and the last operations.
  [[nodiscard]] std::string note_findings(const std::vector<difference>& found, duration at);

  [[nodiscard]] std::size_t findings() const { return findings_; }
  [[nodiscard]] std::size_t checks() const;
  [[nodiscard]] std::string progress(duration at, duration whole) const;
  [[nodiscard]] std::string summary(duration at) const;

 private:
  void note_refusal(const std::string& why);
  [[nodiscard]] std::size_t count(bool (*of)(kind)) const;
  [[nodiscard]] std::string counts_of(bool (*of)(kind)) const;

  std::uint64_t seed_;
  std::map<kind, std::size_t> done_;
  std::map<part, std::size_t> killed_, stalled_;
  std::map<std::string, std::size_t> invariants_;
  std::map<std::string, std::size_t> peak_;
  duration slowest_{};
  std::string slowest_text_;
  std::deque<std::string> history_;
  std::map<std::string, std::size_t> refused_;  // by the reason
  std::size_t findings_ = 0;
};

}  // namespace soak
