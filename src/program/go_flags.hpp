// go_flags: command lines by the rules of Go's package flag, which scripts that start these programs rely on. One dash
// or two; "-name=value" or "-name value"; booleans without a value, or with one after "=". The last occurrence wins.
// The first word that is not a flag, or "--", ends the flags.
//
// A flag_set refers to the variables that it fills. They hold the defaults before parse() and must outlive it. Nothing
// here prints or exits: see program/command_line.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace program {

enum class parse_outcome { ok, help };

// A flag as the usage, the manual and the completions of shells show it.
struct flag_description {
  std::string name{};
  std::string help{};
  std::string shown_default{};
  std::string value_name{};  // empty for booleans
};

class flag_set {
 public:
  // `description` is the text between the synopsis and the flags. Its paragraphs are separated by "\n\n" and wrapped,
  // except indented ones.
  flag_set(std::string program, std::string synopsis, std::string description);

  // `value` holds the default. `help` is wrapped. A word in `back-quotes` names the value, as in Go's usage texts.
  void add(std::string name, bool& value, std::string help);
  void add(std::string name, std::string& value, std::string help);
  void add(std::string name, std::uint16_t& value, std::string help);              // decimal, 0 to 65535
  void add(std::string name, std::int64_t& value, std::string help);               // decimal
  void add(std::string name, std::vector<std::string>& values, std::string help);  // may be repeated
  // Any other type: `read` converts the text to a result<T>. The usage shows the default by to_string(), or
  // `shown_default`. A vector collects values, like the one above.
  template <class T, class Read>
  void add(std::string name, T& value, Read read, std::string help) {
    auto shown = text_of(value);
    add(std::move(name), value, std::move(read), std::move(shown), std::move(help));
  }
  template <class T, class Read>
  void add(std::string name, T& value, Read read, std::string shown_default, std::string help) {
    add_checked(
        std::move(name),
        [&value, read](std::string_view text) -> base::result<> {
          auto parsed = read(text);
          if (!parsed) return std::unexpected(parsed.error());
          value = std::move(*parsed);
          return {};
        },
        std::move(shown_default), std::move(help));
  }
  template <class T, class Read>
  void add(std::string name, std::vector<T>& values, Read read, std::string help) {
    add_checked(
        std::move(name),
        [&values, read](std::string_view text) -> base::result<> {
          auto parsed = read(text);
          if (!parsed) return std::unexpected(parsed.error());
          values.push_back(std::move(*parsed));
          return {};
        },
        "", std::move(help));
  }

  // `arguments` without the program's name. The error is Go's message, without the usage.
  [[nodiscard]] base::result<parse_outcome> parse(const std::vector<std::string>& arguments);

  // The words after the flags.
  [[nodiscard]] const std::vector<std::string>& rest() const { return rest_; }
  // Whether the command line had the flag.
  [[nodiscard]] bool is_set(std::string_view name) const { return set_.contains(std::string(name)); }

  [[nodiscard]] const std::string& program() const { return program_; }
  [[nodiscard]] std::string usage() const;
  [[nodiscard]] std::vector<flag_description> descriptions() const { return {flags_.begin(), flags_.end()}; }

 private:
  struct flag : flag_description {
    bool boolean = false;
    std::function<bool(std::string_view)> set;
    std::function<base::result<>(std::string_view)> checked_set;
  };
  template <class T>
  static std::string text_of(const T& value) {
    if constexpr (std::is_convertible_v<const T&, std::string>)
      return value;
    else if constexpr (std::is_arithmetic_v<T>)
      return std::to_string(value);
    else if constexpr (requires { value.to_string(); })
      return value.to_string();
    else
      return to_string(value);
  }
  flag& declare(std::string name, std::string help, std::string value_name);
  void add_checked(std::string name, std::function<base::result<>(std::string_view)> set, std::string shown_default,
                   std::string help);
  [[nodiscard]] const flag* find(std::string_view name) const;
  base::result<> assign(const flag& f, std::string_view value);
  base::result<> parse_one(const std::vector<std::string>& arguments, std::size_t& at, std::string_view word);

  std::string program_;
  std::string synopsis_;
  std::string description_;
  std::vector<flag> flags_;
  std::vector<std::string> rest_;
  std::set<std::string> set_;
};

}  // namespace program
