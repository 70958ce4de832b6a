#include "program/command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "program/go_flags.hpp"

namespace program {
namespace {

std::string synopsis(const about& what) {
  return what.commands.empty() ? "[flags]" : fmt::format("{} [flags]", fmt::join(what.commands, "|"));
}

}  // namespace

command_line::command_line(about what)
    : what_(std::move(what)), flags_(what_.name, synopsis(what_), what_.description) {
  flags_.add("version", version_, "Print the version and exit.");
}

base::result<program::parse_outcome> command_line::read(const std::vector<std::string>& words) {
  auto parsed = flags_.parse(words);
  if (!parsed || *parsed == program::parse_outcome::help || version_) return parsed;
  auto rest = flags_.rest();
  if (!what_.commands.empty() && command_.empty()) {
    if (rest.empty()) return base::fail(fmt::format("no command: {}", fmt::join(what_.commands, " or ")));
    if (std::ranges::find(what_.commands, rest.front()) == what_.commands.end())
      return base::fail("unknown command: " + base::printable(rest.front()));
    command_ = rest.front();
    rest.erase(rest.begin());
    return read(rest);
  }
  if (!rest.empty()) return base::fail("unexpected argument: " + base::printable(rest.front()));
  return parsed;
}

std::optional<int> command_line::parse(int argc, const char* const* argv) {
  const auto parsed = read(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
  if (!parsed) {
    const auto reason = parsed.error().message();
    fmt::print(stderr, "{}\n{}\n", reason, flags_.usage());
    return report_failure(what_.name, reason, exit_usage);
  }
  if (*parsed == program::parse_outcome::help) {
    fmt::print(stderr, "{}", flags_.usage());
    return exit_ok;
  }
  if (!version_) return std::nullopt;
  fmt::print("{} {}\n", what_.name, GUESTAGENT_VERSION);
  return exit_ok;
}

int report_failure(std::string_view program, std::string_view message, int exit_code) {
  fmt::print(stderr, "{}: {}\n", program, message);
  return exit_code;
}

}  // namespace program
