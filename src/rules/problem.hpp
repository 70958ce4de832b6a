// problem: an error or a warning about a place in a text, for people.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rules {

struct position {
  unsigned line = 1, column = 1;  // from 1
  auto operator<=>(const position&) const = default;
};

struct problem {
  position at;  // in characters
  std::string text;
  std::string hint;  // what to do; may be empty

  bool operator==(const problem&) const = default;
};

// "line 3, column 5: unknown key \"prot\": did you mean \"port\"?"
[[nodiscard]] inline std::string to_string(const problem& p) {
  auto text = fmt::format("line {}, column {}: {}", p.at.line, p.at.column, p.text);
  return p.hint.empty() ? text : text + ": " + p.hint;
}

// Collects the problems of one text, the first ones that are found.
class problem_list {
 public:
  static constexpr std::size_t most = 20;

  // The text outlives the list.
  explicit problem_list(std::string_view text) : text_(text) {}

  // `at` counts bytes, as the parser does.
  void add(position at, std::string text, std::string hint = {});
  [[nodiscard]] bool is_full() const { return all_.size() == most; }
  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] std::vector<problem> take() && { return std::move(all_); }  // in the order of their places

 private:
  [[nodiscard]] position in_characters(position at) const;

  std::string_view text_;
  std::vector<problem> all_;
};

}  // namespace rules
