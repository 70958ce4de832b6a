#include "program/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "os/standard_streams.hpp"
#include "program/completions.hpp"
#include "program/go_flags.hpp"
#include "program/man_page.hpp"
#include "program/program_description.hpp"

namespace program {
namespace {

std::string names_of(const std::vector<command>& commands, std::string_view separator) {
  std::string names;
  for (const auto& c : commands) names += (names.empty() ? "" : std::string(separator)) + c.name;
  return names;
}

// "ports|status [flags]", and a line of its own for each command that has an argument.
std::string synopsis(const about& what) {
  if (what.commands.empty()) return "[flags]";
  std::vector<command> alone;
  std::ranges::copy_if(what.commands, std::back_inserter(alone), [](const command& c) { return c.argument.empty(); });
  std::string text = names_of(alone, "|") + " [flags]";
  for (const auto& c : what.commands)
    if (!c.argument.empty())
      text += fmt::format("\n       {} {} {}{} [flags]", what.name, c.name, c.argument,
                          c.further.empty() ? "" : fmt::format(" [{}]", c.further));
  return text;
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
  if (rest.empty()) {
    const auto all = find_missing();
    return all ? parsed : std::unexpected(all.error());
  }
  if (auto taken = take_word(rest.front()); !taken) return std::unexpected(taken.error());
  rest.erase(rest.begin());
  return read(rest);
}

// A word that is not a flag: the command, its argument, or the further one.
base::result<> command_line::take_word(const std::string& word) {
  const auto at = std::ranges::find(what_.commands, command_.empty() ? word : command_, &command::name);
  if (command_.empty() && !what_.commands.empty()) {
    if (at == what_.commands.end()) return base::fail("unknown command: " + base::printable(word));
    command_ = word;
    return {};
  }
  const bool known = at != what_.commands.end();
  if (known && has_argument_ && !at->further.empty() && !further_) {
    further_ = word;
    return {};
  }
  if (!known || at->argument.empty() || has_argument_)
    return base::fail("unexpected argument: " + base::printable(word));
  argument_ = word;
  has_argument_ = true;
  return {};
}

base::result<> command_line::find_missing() const {
  if (what_.commands.empty()) return {};
  if (command_.empty()) return base::fail("no command: " + names_of(what_.commands, " or "));
  const auto at = std::ranges::find(what_.commands, command_, &command::name);
  if (!at->argument.empty() && !has_argument_) return base::fail(fmt::format("{}: no {}", command_, at->argument));
  return {};
}

// Made from the table of flags for a package.
std::optional<std::string> command_line::document_for(const std::vector<std::string>& words) const {
  if (words == std::vector<std::string>{"-man"}) return man_page(what_, flags_.descriptions());
  if (words.size() == 2 && words.front() == "-completions")
    return completions(words.back(), what_, flags_.descriptions());
  return std::nullopt;
}

std::optional<int> command_line::parse(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (const auto made = document_for(words)) return end(os::print(*made));
  const auto parsed = read(words);
  if (!parsed) {
    const auto reason = parsed.error().message();
    static_cast<void>(os::print_error(fmt::format("{}\n{}\n", reason, flags_.usage())));
    return report_failure(what_.name, reason, exit_usage);
  }
  if (*parsed == program::parse_outcome::help) return end(os::print_error(flags_.usage()));
  if (!version_) return std::nullopt;
  return end(os::print(fmt::format("{} {}\n", what_.name, GUESTAGENT_VERSION)));
}

int command_line::end(const base::result<>& printed) const {
  return printed ? exit_ok : report_failure(what_.name, printed.error().message());
}

int report_failure(std::string_view program, std::string_view message, int exit_code) {
  static_cast<void>(os::print_error(fmt::format("{}: {}\n", program, message)));
  return exit_code;
}

}  // namespace program
