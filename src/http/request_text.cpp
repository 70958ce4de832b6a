#include "http/request_text.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <system_error>

#include "base/result.hpp"
#include "http/message.hpp"

namespace http {
namespace {

bool is_control(char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }

// A tab is allowed within a value.
bool is_value(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return is_control(c) && c != '\t'; });
}

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::none_of(text, [](char c) { return is_control(c) || c == ' '; });
}

bool is_sound(const request& r, std::string_view host) {
  const auto sound = [](const auto& field) { return is_word(field.first) && is_value(field.second); };
  return is_word(r.method) && is_word(r.target) && is_value(host) && std::ranges::all_of(r.headers, sound);
}

void add(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

base::result<std::string> to_text(const request& r, std::string_view host) {
  if (!is_sound(r, host)) return base::fail(std::errc::invalid_argument, "a request with control characters");
  std::string text;
  text.append(r.method).append(" ").append(r.target).append(" HTTP/1.1\r\n");
  const auto add_default = [&](std::string_view name, std::string_view value) {
    if (!r.headers.contains(name)) add(text, name, value);
  };
  add_default("Host", host);
  add_default("User-Agent", "guestagent");
  for (const auto& [name, value] : r.headers) add(text, name, value);
  if (!r.body.empty() || r.method == "POST") add_default("Content-Length", std::to_string(r.body.size()));
  return text.append("\r\n").append(r.body);
}

}  // namespace http
