#include "program/go_flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"

namespace program {
namespace {

constexpr std::size_t line_width = 90;

// The spellings of strconv.ParseBool.
std::optional<bool> parse_bool(std::string_view text) {
  for (const auto* yes : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == yes) return true;
  for (const auto* no : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == no) return false;
  return std::nullopt;
}

template <class T>
std::function<bool(std::string_view)> number_setter(T& value) {
  return [&value](std::string_view text) {
    const auto number = base::parse_number<T>(text);
    if (number) value = *number;
    return number.has_value();
  };
}

// An indented text is already broken into lines.
std::string wrap(std::string_view text, std::size_t indent) {
  if (text.starts_with(' ')) return std::string(text) + "\n";
  std::string wrapped;
  std::size_t column = 0;
  for (const auto word : base::split(text, ' ')) {
    if (word.empty()) continue;
    if (column > 0 && column + 1 + word.size() > line_width - indent) {
      wrapped += '\n';
      column = 0;
    }
    wrapped += column == 0 ? std::string(indent, ' ') : " ";
    wrapped += word;
    column += word.size() + (column > 0 ? 1 : 0);
  }
  return wrapped + "\n";
}

// Extracts the first word in back-quotes from the help text, as Go's UnquoteUsage does.
std::pair<std::string, std::string> unquote(std::string help, std::string fallback) {
  const auto open = help.find('`');
  const auto close = open == std::string::npos ? open : help.find('`', open + 1);
  if (close == std::string::npos) return {std::move(fallback), std::move(help)};
  auto name = help.substr(open + 1, close - open - 1);
  return {name, help.substr(0, open) + name + help.substr(close + 1)};
}

// "-name" and "--name" are flags; "-", "--" and every other word are not.
bool is_flag(std::string_view word) { return word.size() >= 2 && word[0] == '-' && word != "--"; }

// The flag without its dashes, or an error as Go words it.
base::result<std::string_view> without_dashes(std::string_view flag) {
  const auto word = flag.substr(flag[1] == '-' ? 2 : 1);
  if (word.empty() || word[0] == '-' || word[0] == '=') return base::fail("bad flag syntax: " + base::printable(flag));
  return word;
}

}  // namespace

flag_set::flag_set(std::string program, std::string synopsis, std::string description)
    : program_(std::move(program)), synopsis_(std::move(synopsis)), description_(std::move(description)) {}

flag_set::flag& flag_set::declare(std::string name, std::string help, std::string value_name) {
  auto& f = flags_.emplace_back();
  f.name = std::move(name);
  std::tie(f.value_name, f.help) = unquote(std::move(help), std::move(value_name));
  return f;
}

void flag_set::add(std::string name, bool& value, std::string help) {
  auto& f = declare(std::move(name), std::move(help), "");
  f.boolean = true;
  f.shown_default = value ? "true" : "";
  f.set = [&value](std::string_view text) {
    const auto parsed = parse_bool(text);
    if (parsed) value = *parsed;
    return parsed.has_value();
  };
}

void flag_set::add(std::string name, std::string& value, std::string help) {
  auto& f = declare(std::move(name), std::move(help), "string");
  f.shown_default = value;
  f.set = [&value](std::string_view text) {
    value = text;
    return true;
  };
}

void flag_set::add(std::string name, std::uint16_t& value, std::string help) {
  auto& f = declare(std::move(name), std::move(help), "number");
  f.shown_default = std::to_string(value);
  f.set = number_setter(value);
}

void flag_set::add(std::string name, std::int64_t& value, std::string help) {
  auto& f = declare(std::move(name), std::move(help), "number");
  f.shown_default = std::to_string(value);
  f.set = number_setter(value);
}

void flag_set::add(std::string name, std::vector<std::string>& values, std::string help) {
  auto& f = declare(std::move(name), std::move(help), "string");
  f.set = [&values](std::string_view text) {
    values.emplace_back(text);
    return true;
  };
}

void flag_set::add_checked(std::string name, std::function<base::result<>(std::string_view)> set,
                           std::string shown_default, std::string help) {
  auto& f = declare(std::move(name), std::move(help), "value");
  f.shown_default = std::move(shown_default);
  f.checked_set = std::move(set);
}

const flag_set::flag* flag_set::find(std::string_view name) const {
  const auto at = std::ranges::find(flags_, name, &flag::name);
  return at == flags_.end() ? nullptr : &*at;
}

base::result<> flag_set::assign(const flag& f, std::string_view value) {
  const auto shown = base::printable(value);
  if (f.checked_set) {
    const auto stored = f.checked_set(value);
    if (!stored)
      return base::fail(fmt::format("invalid value \"{}\" for flag -{}: {}", shown, f.name, stored.error().message()));
  } else if (!f.set(value)) {
    return base::fail(fmt::format("invalid {} \"{}\" for {}-{}: parse error", f.boolean ? "boolean value" : "value",
                                  shown, f.boolean ? "" : "flag ", f.name));
  }
  set_.insert(f.name);
  return {};
}

// `word` is one flag without its dashes. `at` moves past the value if that is a separate word.
base::result<> flag_set::parse_one(const std::vector<std::string>& arguments, std::size_t& at, std::string_view word) {
  const auto equals = word.find('=');
  const auto name = word.substr(0, equals);
  const auto* f = find(name);
  if (f == nullptr) return base::fail("flag provided but not defined: -" + base::printable(name));
  if (equals != std::string_view::npos) return assign(*f, word.substr(equals + 1));
  if (f->boolean) return assign(*f, "true");
  if (at + 1 >= arguments.size()) return base::fail("flag needs an argument: -" + f->name);
  return assign(*f, arguments[++at]);
}

base::result<parse_outcome> flag_set::parse(const std::vector<std::string>& arguments) {
  std::size_t at = 0;
  for (; at < arguments.size() && is_flag(arguments[at]); ++at) {
    const auto word = without_dashes(arguments[at]);
    if (!word) return std::unexpected(word.error());
    const auto name = word->substr(0, word->find('='));
    const bool asks_for_help = name == "h" || name == "help";
    if (asks_for_help && find(name) == nullptr) return parse_outcome::help;
    if (auto parsed = parse_one(arguments, at, *word); !parsed) return std::unexpected(parsed.error());
  }
  if (at < arguments.size() && arguments[at] == "--") ++at;
  rest_.assign(arguments.begin() + static_cast<std::ptrdiff_t>(std::min(at, arguments.size())), arguments.end());
  return parse_outcome::ok;
}

std::string flag_set::usage() const {
  std::string text = fmt::format("Usage: {} {}\n", program_, synopsis_);
  std::string_view description = description_;
  while (!description.empty()) {
    const auto end = description.find("\n\n");
    text += "\n" + wrap(description.substr(0, end), 0);
    description.remove_prefix(end == std::string_view::npos ? description.size() : end + 2);
  }
  if (!flags_.empty()) text += "\nFlags:\n";
  for (const auto& f : flags_) {
    text += fmt::format("  -{}{}{}\n", f.name, f.value_name.empty() ? "" : " ", f.value_name);
    text += wrap(f.help + (f.shown_default.empty() ? "" : fmt::format(" (default {})", f.shown_default)), 8);
  }
  return text;
}

}  // namespace program
