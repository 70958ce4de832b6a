#include "program/completions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "program/go_flags.hpp"
#include "program/program_description.hpp"

namespace program {
namespace {

using flag_list = std::vector<flag_description>;

std::string escape(std::string_view text, std::string_view special, std::string_view prefix) {
  std::string escaped;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) escaped += prefix;
    escaped += c;
  }
  return escaped;
}

// The first sentence, for a line beside the flag.
std::string short_help(const flag_description& f) {
  const auto end = f.help.find(". ");
  auto text = f.help.substr(0, end);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

bool is_file(const flag_description& f) {
  return f.value_name == "path" || f.value_name == "file" || f.value_name == "directory";
}

std::string function_of(const about& what) {
  auto name = "_" + what.name;
  std::ranges::replace(name, '-', '_');
  return name;
}

// " -socket -json" of all flags, or of those that need a value.
std::string words(const flag_list& flags, std::string_view dashes, bool with_value_only) {
  std::string text;
  for (const auto& f : flags)
    if (!with_value_only || !f.value_name.empty()) text += fmt::format(" {}{}", dashes, f.name);
  return text;
}

std::string command_words(const about& what) {
  std::string text;
  for (const auto& c : what.commands) text += " " + c.name;
  return text;
}

// A pattern of `case` with both spellings of the flags that need a value; "=" is what separates the value.
std::string values_pattern(const flag_list& flags) {
  std::string text = "=";
  for (const auto& f : flags)
    if (!f.value_name.empty()) text += fmt::format(" | -{0} | --{0}", f.name);
  return text;
}

// Where nothing is offered, bash offers files.
std::string for_bash(const about& what, const flag_list& flags) {
  const auto nothing_typed = what.commands.empty() ? words(flags, "-", false) : command_words(what);
  return fmt::format(R"(# bash completion for {0}
{1}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  COMPREPLY=()
  [[ $word == = ]] && return
  case $before in
    {2}) return ;;
  esac
  case $word in
    --*) mapfile -t COMPREPLY < <(compgen -W '{3}' -- "$word") ;;
    -*) mapfile -t COMPREPLY < <(compgen -W '{4}' -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W '{5}' -- "$word") ;;
  esac
}}
complete -o default -F {1} {0}
)",
                     what.name, function_of(what), values_pattern(flags), words(flags, "--", false).substr(1),
                     words(flags, "-", false).substr(1), nothing_typed.substr(1));
}

std::string zsh_quoted(std::string_view text) {
  std::string quoted;
  for (const char c : escape(text, "\\[]:", "\\")) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted;
}

std::string for_zsh(const about& what, const flag_list& flags) {
  std::string text = fmt::format("#compdef {}\n_arguments \\\n", what.name);
  for (const auto& f : flags) {
    const auto help = zsh_quoted(short_help(f));
    const auto value =
        f.value_name.empty() ? "" : fmt::format(":{}:{}", zsh_quoted(f.value_name), is_file(f) ? "_files" : " ");
    text += fmt::format("  '-{}{}[{}]{}' \\\n", f.name, f.value_name.empty() ? "" : "=", help, value);
  }
  text += "  '-h[Print the usage and exit]'";
  if (!what.commands.empty()) text += fmt::format(" \\\n  '1:command:({})'", command_words(what).substr(1));
  const bool argument = std::ranges::any_of(what.commands, [](const auto& c) { return !c.argument.empty(); });
  if (argument) text += " \\\n  '2:argument: '";
  const bool further = std::ranges::any_of(what.commands, [](const auto& c) { return !c.further.empty(); });
  return text + (further ? " \\\n  '3:file:_files'\n" : "\n");
}

std::string for_fish(const about& what, const flag_list& flags) {
  std::string text = fmt::format("# fish completion for {0}\ncomplete -c {0} -f\n", what.name);
  if (!what.commands.empty())
    text += fmt::format("complete -c {} -n __fish_use_subcommand -a '{}'\n", what.name, command_words(what).substr(1));
  for (const auto& f : flags) {
    const auto* value = f.value_name.empty() ? "" : is_file(f) ? " -r -F" : " -x";
    text +=
        fmt::format("complete -c {} -o {}{} -d '{}'\n", what.name, f.name, value, escape(short_help(f), "\\'", "\\"));
  }
  return text + fmt::format("complete -c {} -o h -d 'Print the usage and exit'\n", what.name);
}

}  // namespace

std::optional<std::string> completions(std::string_view shell, const about& what, const flag_list& flags) {
  if (shell == "bash") return for_bash(what, flags);
  if (shell == "zsh") return for_zsh(what, flags);
  if (shell == "fish") return for_fish(what, flags);
  return std::nullopt;
}

}  // namespace program
