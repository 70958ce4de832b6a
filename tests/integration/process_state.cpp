#include "tests/integration/process_state.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "tests/support/child_process.hpp"

namespace integration {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t shadow_bytes = std::size_t{1} << 40U;  // of AddressSanitizer, at least

// The number behind "NAME:" in a file of /proc.
std::uint64_t field(const fs::path& file, std::string_view name) {
  const auto text = support::read_text(file);
  const auto begin = text.find(fmt::format("\n{}:", name));
  if (begin == std::string::npos) return 0;
  const auto end = text.find('\n', begin + 1);
  auto rest = base::trim(std::string_view(text).substr(begin + name.size() + 2, end - begin - name.size() - 2));
  rest = rest.substr(0, rest.find(' '));
  return base::parse_number<std::uint64_t>(rest).value_or(0);
}

fs::path status_of(pid_t process) { return fmt::format("/proc/{}/status", process); }

}  // namespace

std::size_t open_descriptors(pid_t process) {
  std::error_code failed;
  const fs::directory_iterator all(fmt::format("/proc/{}/fd", process), failed);
  return failed ? 0 : static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::size_t resident_bytes(pid_t process) { return field(status_of(process), "VmRSS") << 10U; }

std::chrono::milliseconds cpu_time(pid_t process) {
  const auto text = support::read_text(fmt::format("/proc/{}/stat", process));
  const auto fields = base::split(std::string_view(text).substr(text.rfind(')') + 2), ' ');
  if (fields.size() < 13) return {};
  const auto ticks =
      base::parse_number<long>(fields[11]).value_or(0) + base::parse_number<long>(fields[12]).value_or(0);
  return std::chrono::milliseconds(ticks * 1'000 / ::sysconf(_SC_CLK_TCK));
}

std::uint64_t voluntary_switches(pid_t process) {
  std::uint64_t sum = 0;
  std::error_code failed;
  for (const auto& thread : fs::directory_iterator(fmt::format("/proc/{}/task", process), failed))
    sum += field(thread.path() / "status", "voluntary_ctxt_switches");
  return sum;
}

bool is_sanitized(pid_t process) { return field(status_of(process), "VmSize") << 10U > shadow_bytes; }

}  // namespace integration
