#include "json/stream_splitter.hpp"

#include <algorithm>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "base/text.hpp"

namespace json {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::size_t longest_excerpt = 40;

}  // namespace

void stream_splitter::step(char c) {
  if (escaped_)
    escaped_ = false;
  else if (quoted_ && c == '\\')
    escaped_ = true;
  else if (c == '"')
    quoted_ = !quoted_;
  else if (!quoted_ && (c == '{' || c == '['))
    ++depth_;
  else if (!quoted_ && (c == '}' || c == ']'))
    --depth_;
}

// How many of the bytes belong to the current object.
base::result<std::size_t> stream_splitter::scan(std::string_view bytes) {
  std::size_t used = 0;
  do {
    step(bytes[used++]);
    if (depth_ > bounds_.depth) return base::fail("a JSON object nested deeper than " + std::to_string(bounds_.depth));
  } while (depth_ > 0 && used < bytes.size());
  if (current_.size() + used > bounds_.bytes)
    return base::fail("a JSON object of more than " + std::to_string(bounds_.bytes) + " bytes");
  return used;
}

base::result<> stream_splitter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (current_.empty()) {
      bytes.remove_prefix(std::min(bytes.find_first_not_of(white_space), bytes.size()));
      if (bytes.empty()) break;
      if (bytes.front() != '{')
        return base::fail("expected a JSON object instead of " + base::printable(bytes, longest_excerpt));
    }
    const auto used = scan(bytes);
    if (!used) return std::unexpected(used.error());
    current_.append(bytes.substr(0, *used));
    bytes.remove_prefix(*used);
    if (depth_ == 0) complete_.push_back(std::exchange(current_, {}));
  }
  return {};
}

std::optional<std::string> stream_splitter::next() {
  if (complete_.empty()) return std::nullopt;
  auto object = std::move(complete_.front());
  complete_.pop_front();
  return object;
}

}  // namespace json
