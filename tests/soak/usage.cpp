#include "tests/soak/usage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "tests/integration/process_state.hpp"

namespace soak {
namespace {

namespace fs = std::filesystem;

constexpr std::array ours{part::agent, part::host_switch, part::wsl_proxy, part::vm_switch, part::network_setup};

std::size_t thread_count(pid_t process) {
  std::error_code failed;
  const fs::directory_iterator all(fmt::format("/proc/{}/task", process), failed);
  return failed ? 0 : static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// The line of the first report of a sanitizer.
std::string sanitizer_report(const fs::path& log, std::size_t from) {
  std::ifstream file(log);
  file.seekg(static_cast<std::streamoff>(from));
  for (std::string line; std::getline(file, line);)
    for (const char* sign : {"ERROR: AddressSanitizer", "runtime error: ", "ERROR: LeakSanitizer", "ThreadSanitizer:"})
      if (line.contains(sign)) return line;
  return {};
}

}  // namespace

std::vector<difference> usage::stopped() const {
  std::vector<difference> found;
  for (const auto which : ours)
    if (arena_.pid(which) <= 0) found.push_back({"running", fmt::format("{} does not run", to_string(which))});
  return found;
}

std::vector<difference> usage::compare(std::size_t ports, std::size_t operations, std::chrono::milliseconds since_last,
                                       tally& to) {
  std::vector<difference> found;
  for (const auto which : ours) {
    compare_process(which, ports, to, found);
    compare_log(which, operations, since_last, found);
  }
  for (const char* one : {"memory, descriptors, threads", "logs"}) to.note_invariant(one);
  return found;
}

void usage::compare_process(part which, std::size_t ports, tally& to, std::vector<difference>& found) {
  const auto process = arena_.pid(which);
  if (process <= 0) return;  // stopped() has said so
  reading now{integration::resident_bytes(process), integration::open_descriptors(process), thread_count(process)};
  to.note_memory(to_string(which), now.resident_bytes);
  if (integration::is_sanitized(process)) now.resident_bytes = 0;  // it keeps freed memory
  const auto first = first_.try_emplace(which, now).first->second;
  for (const auto& text : beyond_bounds(first, now, ports))
    found.push_back({"memory, descriptors, threads", fmt::format("{}: {}", to_string(which), text)});
}

void usage::compare_log(part which, std::size_t operations, std::chrono::milliseconds since_last,
                        std::vector<difference>& found) {
  std::error_code ignored;
  const auto log = arena_.log_of(which);
  const auto bytes = fs::exists(log, ignored) ? fs::file_size(log, ignored) : 0;
  const auto before = std::exchange(log_bytes_[which], bytes);
  if (const auto report = sanitizer_report(log, before); !report.empty())
    found.push_back({"sanitizers", fmt::format("{}: {}", to_string(which), report)});
  if (!debug_ && grows_too_fast(bytes - std::min(bytes, before), since_last, operations))
    found.push_back({"logs", fmt::format("{} wrote {} bytes with {} operations in {} s", to_string(which),
                                         bytes - before, operations, since_last.count() / 1000)});
}

}  // namespace soak
