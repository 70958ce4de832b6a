// comparison: the agent's figures beside those of something else, as lines of a table.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace bench {

void print_heading(std::string_view title, std::string_view other);
// The third column is the ratio.
void print_row(std::string_view what, double ours, double others, std::string_view unit);

// A figure of the agent alone.
void print_figure(std::string_view what, double value, std::string_view unit);
// What is resident of the process, and how much of that no other one can share: a file's mapped pages count as well,
// and some of them are unused neighbours of used ones.
void print_memory(std::string_view what, pid_t pid);

}  // namespace bench
