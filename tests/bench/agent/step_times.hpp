// step_times: the lines that the agent logs with -trace-events, as a table: each step's times over all changes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

// By step ("parse", …, "total"): microseconds, one for each line about an expose request to `peer` that was done.
using step_times = std::map<std::string, std::vector<double>>;
[[nodiscard]] step_times read_step_times(const std::filesystem::path& log, std::string_view peer);

// One line for each step, in the order of the way.
void print_steps(std::string_view title, const step_times& times);

}  // namespace bench
