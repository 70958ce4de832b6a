#include "tests/bench/agent/step_times.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/bench/figures.hpp"

namespace bench {

step_times read_step_times(const std::filesystem::path& log, std::string_view peer) {
  constexpr std::string_view unit = "_us";
  step_times times;
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);) {
    const bool wanted = line.contains(" trace: expose ") && line.contains(fmt::format(" peer={} ", peer)) &&
                        line.contains(" outcome=done ");
    if (!wanted) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      const auto at = word.find('=');
      if (at == std::string::npos || !word.substr(0, at).ends_with(unit)) continue;
      times[word.substr(0, at - unit.size())].push_back(std::atof(word.c_str() + at + 1));
    }
  }
  return times;
}

void print_steps(std::string_view title, const step_times& times) {
  static constexpr const char* way[] = {"parse",   "queue", "engine", "publish", "plan",
                                        "journal", "send",  "answer", "total"};
  fmt::print("{:46} {:>12} {:>12}\n", title, "p50", "p99");
  for (const auto* step : way) {
    const auto found = times.find(step);
    if (found == times.end()) continue;
    fmt::print("  {:44} {:>9.1f} us {:>9.1f} us\n", step, figures::at_share(found->second, 0.50),
               figures::at_share(found->second, 0.99));
  }
  fmt::print("\n");
}

}  // namespace bench
