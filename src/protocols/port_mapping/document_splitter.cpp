#include "protocols/port_mapping/document_splitter.hpp"

#include <utility>

namespace port_mapping {
namespace {

constexpr std::string_view white_space = " \t\r\n";

}  // namespace

void document_splitter::step(char c) {
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

base::result<> document_splitter::feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (current_.empty() && white_space.find(c) != std::string_view::npos) continue;
    if (current_.empty() && c != '{') return base::fail("not a JSON object");
    if (current_.size() == limit_)
      return base::fail(std::errc::message_size, "more than " + std::to_string(limit_) + " bytes");
    current_ += c;
    step(c);
    if (depth_ == 0) complete_.push_back(std::exchange(current_, {}));
  }
  return {};
}

std::optional<std::string> document_splitter::next() {
  if (complete_.empty()) return std::nullopt;
  auto document = std::move(complete_.front());
  complete_.pop_front();
  return document;
}

}  // namespace port_mapping
