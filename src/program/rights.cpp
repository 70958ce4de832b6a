#include "program/rights.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "os/call_filter.hpp"
#include "os/capabilities.hpp"
#include "program/system_calls.hpp"

namespace program {
namespace {

namespace log = base::log;

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

async::task<> log_refused_calls(std::string program) {
  while (true) {
    const int number = co_await os::refused_call();
    log::warn(program, "the filter refused a system call number={}: please report it; -seccomp=false allows all",
              number);
  }
}

}  // namespace

base::result<> keep_capabilities(std::string_view program, const std::vector<needed_right>& needed) {
  std::uint64_t kept = 0;
  for (const auto& one : needed) kept |= std::uint64_t{1} << one.capability.number;
  if (auto done = os::keep_capabilities(kept); !done) return done;
  const auto left = os::effective_capabilities();
  if (!left) return std::unexpected(left.error());
  std::string missing;
  for (const auto& one : needed)
    if ((*left >> one.capability.number & 1U) == 0)
      missing += fmt::format("{}{} ({})", missing.empty() ? "" : ", ", one.capability.name, one.without);
  if (!missing.empty()) log::warn(program, "runs without {}", missing);
  return {};
}

void filter_calls(std::string_view program, const os::allowed_calls& allowed, async::task_group& tasks) {
  if (sanitized) return;
  if (const auto done = os::filter_calls(allowed); !done)
    return log::warn(program, "system calls are not filtered reason=\"{}\"", done.error().message());
  tasks.spawn("refused calls", log_refused_calls(std::string(program)));
}

os::allowed_calls calls_of_service() { return {.numbers = system_calls::of_every_program(), .processes = false}; }

os::allowed_calls calls_of_parent(std::initializer_list<system_calls::numbers> more) {
  auto calls = calls_of_service();
  calls.processes = true;
  const auto add = [&](const system_calls::numbers& group) {
    calls.numbers.insert(calls.numbers.end(), group.begin(), group.end());
  };
  add(system_calls::of_programs_with_children());
  for (const auto& group : more) add(group);
  return calls;
}

}  // namespace program
