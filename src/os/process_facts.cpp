#include "os/process_facts.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"

namespace os {
namespace {

using namespace std::chrono_literals;

bool has_gone(int number) { return number == ENOENT || number == ESRCH; }

}  // namespace

// "42 (a name) S 1 …": the name may contain any characters, spaces and parentheses too.
std::optional<process_facts> parse_process_stat(std::string_view text) {
  constexpr std::size_t parent_field = 1, start_field = 19;  // after the name
  const auto open = text.find('('), close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  const auto fields = base::split(base::trim(text.substr(close + 1)), ' ');
  if (fields.size() <= start_field) return std::nullopt;
  const auto parent = base::parse_number<pid_t>(fields[parent_field]);
  const auto start = base::parse_number<std::uint64_t>(fields[start_field]);
  if (!parent || !start) return std::nullopt;
  return process_facts{std::string(text.substr(open + 1, close - open - 1)), *parent, *start};
}

base::result<std::optional<process_facts>> read_process_facts(pid_t pid) {
  const auto path = "/proc/" + std::to_string(pid) + "/stat";
  const base::unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && has_gone(errno)) return std::nullopt;
  if (!file) return base::fail_errno(path);
  std::array<char, 1024> text;
  const auto length = ::read(file.get(), text.data(), text.size());
  if (length < 0 && has_gone(errno)) return std::nullopt;
  if (length < 0) return base::fail_errno(path);
  auto facts = parse_process_stat({text.data(), static_cast<std::size_t>(length)});
  if (!facts) return base::fail(path + " is invalid");
  return facts;
}

std::chrono::milliseconds age_of(std::uint64_t start) {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto since_boot = std::chrono::seconds(now.tv_sec) + std::chrono::milliseconds(now.tv_nsec / 1'000'000);
  const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return std::max(0ms, since_boot - std::chrono::milliseconds(start * 1'000 / ticks));
}

}  // namespace os
