#include "rules/glob.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace rules {
namespace {

constexpr auto none = std::string_view::npos;

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// The members of a set, without its brackets and its `!`.
struct set_members {
  std::string_view text;
  bool negated = false;
};
set_members members_of(std::string_view pattern, std::size_t open, std::size_t close) {
  auto text = pattern.substr(open + 1, close - open - 1);
  const bool negated = text.starts_with('!') || text.starts_with('^');
  return {negated ? text.substr(1) : text, negated};
}

// Calls `with` for each range of the set, a single character as a range of one; true when one call is.
template <class With>
bool any_range(std::string_view members, With with) {
  for (std::size_t at = 0; at < members.size();) {
    const bool range = at + 2 < members.size() && members[at + 1] == '-';
    if (with(members[at], range ? members[at + 2] : members[at])) return true;
    at += range ? 3 : 1;
  }
  return false;
}

std::optional<std::string> wrong_set(std::string_view pattern, std::size_t open, std::size_t close) {
  if (close == none) return "has a [ without its ]";
  const auto set = members_of(pattern, open, close);
  if (!std::ranges::all_of(set.text, is_ascii)) return "has a set with other characters than ASCII";
  if (any_range(set.text, [](char first, char last) { return last < first; })) return "has a set that runs backwards";
  return std::nullopt;
}

// Bytes of the character at the beginning of `text`, which is not empty.
std::size_t character_length(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) ++length;
  return length;
}

struct step {
  std::size_t pattern, text;
};

// One character by what stands at `at` of the pattern, which is not a `*`.
std::optional<step> match_one(std::string_view pattern, std::size_t at, std::string_view text) {
  const char p = pattern[at];
  if (p == '?') return step{1, character_length(text)};
  if (p != '[') return p == text.front() ? std::optional(step{1, 1}) : std::nullopt;
  const auto close = end_of_set(pattern, at);
  const auto set = members_of(pattern, at, close);
  const char c = text.front();
  const bool member = any_range(set.text, [c](char first, char last) { return first <= c && c <= last; });
  if (member == set.negated) return std::nullopt;
  return step{close + 1 - at, character_length(text)};
}

// Goes back to the last `*` alone: an earlier one cannot help where a later one does not.
bool match_all(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = none, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
      continue;
    }
    const auto passed = p < pattern.size() ? match_one(pattern, p, text.substr(t)) : std::nullopt;
    if (passed) {
      p += passed->pattern;
      t += passed->text;
      continue;
    }
    if (star == none) return false;
    p = star + 1;
    t = ++resume;
  }
  return pattern.find_first_not_of('*', p) == none;
}

}  // namespace

std::size_t end_of_set(std::string_view pattern, std::size_t open) {
  auto first = open + 1;
  if (first < pattern.size() && (pattern[first] == '!' || pattern[first] == '^')) ++first;
  return pattern.find(']', first + 1);
}

base::result<glob> glob::parse(std::string_view pattern) {
  if (pattern.empty()) return base::fail("is empty");
  if (pattern.size() > longest) return base::fail("is longer than " + std::to_string(longest) + " bytes");
  if (pattern.contains('\\')) return base::fail("has a backslash");
  glob made;
  made.text_ = pattern;
  made.prefix_ = std::min(pattern.find_first_of("*?["), pattern.size());
  for (auto at = made.prefix_; at < pattern.size(); ++at) {
    if (pattern[at] == '[') {
      const auto close = end_of_set(pattern, at);
      if (const auto wrong = wrong_set(pattern, at, close)) return base::fail(*wrong);
      at = close;
    } else if (pattern[at] != '*' && pattern[at] != '?') {
      continue;
    }
    made.suffix_ = at + 1;
  }
  return made;
}

bool glob::matches(std::string_view text) const {
  if (text.size() > longest_text) return false;
  if (is_literal()) return text == text_;
  if (!text.starts_with(prefix()) || !text.ends_with(suffix())) return false;
  return match_all(std::string_view(text_).substr(prefix_), text.substr(prefix_));
}

bool glob::covers(const glob& other) const {
  if (text_ == other.text_) return true;
  if (other.is_literal()) return matches(other.text_);
  if (text_.size() == prefix_ + 1 && text_.back() == '*') return other.prefix().starts_with(prefix());
  return text_.front() == '*' && suffix_ == 1 && other.suffix().ends_with(suffix());
}

}  // namespace rules
