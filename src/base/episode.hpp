// Log lines for conditions and events that repeat.
//
// episode: a condition that lasts, e.g. "cannot watch the rules". Logged once when it begins and once when it ends. One
// that begins again within ten seconds of its end is counted; the next line has the count.
// throttle: an event that a client can provoke. The first one, or the first `burst` of them, is logged. Later ones
// within the period are counted; the next line has the count.
//
// Both are plain values of one thread; time is an argument so that tests need no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/result.hpp"

namespace base::log {

using steady_time = std::chrono::steady_clock::time_point;

class episode {
 public:
  // `about` begins the line, e.g. "cannot listen tunnel=api".
  episode(std::string component, std::string about) : component_(std::move(component)), about_(std::move(about)) {}

  // A failure begins the episode (WARN, with its reason), a success ends it (INFO, with its length). A reason that
  // differs from the logged one is logged, too, as soon as a minute has passed since the last line.
  void note(const result<>& outcome, steady_time now = std::chrono::steady_clock::now());
  [[nodiscard]] bool active() const { return began_.has_value(); }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  void end(steady_time now);
  // Notes a failure for reason_: begins the episode, or goes on with it. Returns whether a line is due.
  bool is_due(steady_time now);

  std::string component_, about_, reason_, logged_reason_;
  std::optional<steady_time> began_;
  std::optional<steady_time> ended_;  // the last logged episode
  bool silent_ = false;               // the current one is only counted: it began soon after the last
  std::uint64_t again_ = 0;           // counted, and in no line yet
  steady_time logged_{};
};

class throttle {
 public:
  explicit throttle(std::chrono::milliseconds period = std::chrono::minutes(1), unsigned burst = 1)
      : period_(period), burst_(burst) {}

  // Whether to log now: the number of events suppressed since the last line, or nothing if this one is suppressed too.
  [[nodiscard]] std::optional<std::uint64_t> admit(steady_time now = std::chrono::steady_clock::now());

 private:
  std::chrono::milliseconds period_;
  unsigned burst_;
  std::optional<steady_time> began_;  // start of the period
  unsigned logged_ = 0;               // lines in the period
  std::uint64_t suppressed_ = 0;
};

// Writes the line if `limit` admits it, followed by " suppressed=N" if events were counted instead of logged.
template <class... Args>
void throttled(throttle& limit, level at, std::string_view component, fmt::format_string<Args...> format,
               Args&&... args) {
  if (!enabled(at)) return;
  const auto suppressed = limit.admit();
  if (!suppressed) return;
  auto text = fmt::format(format, std::forward<Args>(args)...);
  if (*suppressed > 0) text += fmt::format(" suppressed={}", *suppressed);
  write(at, component, text);
}

}  // namespace base::log
