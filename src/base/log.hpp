// The log: one line an event on stderr, "<UTC time> <LEVEL> <component>: <text>", the same in every program, so that
// `grep ' WARN '` and `grep ' docker: '` work. Text that came from outside goes through base::printable first.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace base::log {

enum class level { debug, info, warn, error };

// Sets where the lines go and the least level that is written. Call once, before the first line; the default is
// stderr and info. With a path the lines are appended to that file, created 0600 in a directory that exists. Fails,
// with the path and the reason, if it cannot be opened, or is a FIFO: the program would wait for its reader.
void set_level(level least);
[[nodiscard]] result<> set_file(const std::string& path);

[[nodiscard]] bool enabled(level at);
void write(level at, std::string_view component, std::string_view text);

template <class... Args>
void debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::debug)) write(level::debug, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::info)) write(level::info, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::warn)) write(level::warn, component, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level::error)) write(level::error, component, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace base::log
