#include "base/program.hpp"

#include <sys/resource.h>

#include <cstdio>

#include <fmt/format.h>

namespace base {

int report_failure(std::string_view program, std::string_view message, int exit_code) {
  fmt::print(stderr, "{}: {}\n", program, message);
  return exit_code;
}

std::optional<int> parse_command_line(flag_set& flags, int argc, const char* const* argv) {
  static bool version = false;  // outlives this call: the flags may be parsed once more
  version = false;
  flags.add("version", version, "Print the version and exit.");
  const auto parsed = flags.parse(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  if (!parsed) {
    fmt::print(stderr, "{}\n{}", parsed.error().message(), flags.usage());
    return exit_usage;
  }
  if (*parsed == parse_outcome::help) {
    fmt::print(stderr, "{}", flags.usage());
    return exit_ok;
  }
  if (!version) return std::nullopt;
  fmt::print("{} {}\n", flags.program(), GUESTAGENT_VERSION);
  return exit_ok;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace base
