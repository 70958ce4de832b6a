#include "tests/bench/agent/comparison.hpp"

#include <fmt/format.h>

#include "tests/bench/figures.hpp"

namespace bench {

void print_heading(std::string_view title, std::string_view other) {
  fmt::print("{:46} {:>12} {:>12} {:>8}\n", title, "agent", other, "ratio");
}

void print_row(std::string_view what, double ours, double others, std::string_view unit) {
  fmt::print("{:46} {:>9.2f} {:<2} {:>9.2f} {:<2} {:>7.1f}x\n", what, ours, unit, others, unit,
             others > 0 ? ours / others : 0);
}

void print_figure(std::string_view what, double value, std::string_view unit) {
  fmt::print("{:46} {:>9.2f} {}\n", what, value, unit);
}

void print_memory(std::string_view what, pid_t pid) {
  const auto megabytes = [pid](std::string_view field) {
    return static_cast<double>(figures::status_kib(pid, field)) / 1024;
  };
  fmt::print("{:46} {:>9.2f} MB, of which its own {:.2f} MB\n", what, megabytes("VmRSS:"), megabytes("RssAnon:"));
}

}  // namespace bench
