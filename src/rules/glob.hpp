// glob: a pattern for names. `*` stands for any run of characters, also an empty one and also with slashes; `?` for one
// character; `[a-z]` for one of a set of ASCII characters, `[!a-z]` for one that is not in it. Case matters. `[*]` is a
// literal `*`; the backslash has no meaning and is refused.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace rules {

// Where the set that begins at `open`, a `[`, ends: at its `]`, or npos.
[[nodiscard]] std::size_t end_of_set(std::string_view pattern, std::size_t open);

class glob {
 public:
  static constexpr std::size_t longest = 256;        // bytes of a pattern
  static constexpr std::size_t longest_text = 4096;  // bytes; a longer text matches no pattern

  // Fails, with the reason alone, for an empty or too long pattern, a set that is not closed, is empty or runs
  // backwards, and a backslash.
  static base::result<glob> parse(std::string_view pattern);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool is_literal() const { return prefix_ == text_.size(); }
  // What every match begins and ends with; of a literal pattern all of it.
  [[nodiscard]] std::string_view prefix() const { return std::string_view(text_).substr(0, prefix_); }
  [[nodiscard]] std::string_view suffix() const { return std::string_view(text_).substr(suffix_); }

  // Costs at most the product of both lengths.
  [[nodiscard]] bool matches(std::string_view text) const;
  // Whether it certainly matches each non-empty text that `other` matches. False: perhaps it does not.
  [[nodiscard]] bool covers(const glob& other) const;

  bool operator==(const glob&) const = default;

 private:
  glob() = default;
  std::string text_;
  std::size_t prefix_ = 0;  // its length
  std::size_t suffix_ = 0;  // where it begins
};

}  // namespace rules
