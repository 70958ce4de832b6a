// peer_counters: what one peer was asked for and how it answered, and how long a port takes until the peer holds it.
// For metrics. reconcile_fsm owns it. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "ports/sink.hpp"

namespace ports {

// Durations by size. A count is of those at most as long as its bound, and longer than the bound before; the last one
// is of all that are longer.
struct duration_histogram {
  static constexpr std::array bounds{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1., 2.5, 5., 10., 30., 60.};  // s

  std::array<std::uint64_t, bounds.size() + 1> counts{};
  double sum = 0;  // s

  void observe(std::chrono::steady_clock::duration d) {
    const auto seconds = std::chrono::duration<double>(d).count();
    std::size_t at = 0;
    while (at < bounds.size() && seconds > bounds[at]) ++at;
    ++counts[at];
    sum += seconds;
  }
};

inline constexpr std::array all_outcomes{outcome_kind::done,    outcome_kind::conflict, outcome_kind::exists,
                                         outcome_kind::refused, outcome_kind::unknown,  outcome_kind::unsent};

struct peer_counters {
  std::array<std::array<std::uint64_t, all_outcomes.size()>, 2> outcomes{};  // by verb, by outcome_kind
  std::uint64_t retries = 0;       // operations on a port whose last one had failed
  duration_histogram exposures{};  // from the moment when a source published the port to the peer's answer

  [[nodiscard]] std::uint64_t count(verb what, outcome_kind kind) const {
    return outcomes.at(static_cast<std::size_t>(what)).at(static_cast<std::size_t>(kind));
  }
  void note(verb what, outcome_kind kind) {
    ++outcomes.at(static_cast<std::size_t>(what)).at(static_cast<std::size_t>(kind));
  }
};

}  // namespace ports
