// process_facts: the contents of /proc/<pid>/stat. The start time distinguishes a process from a later one with the
// same pid. The only place that reads that file.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace os {

struct process_facts {
  std::string name;  // the kernel's, at most 15 bytes
  pid_t parent = 0;
  std::uint64_t start = 0;  // ticks since boot
  bool operator==(const process_facts&) const = default;
};

[[nodiscard]] std::optional<process_facts> parse_process_stat(std::string_view text);

// nullopt: there is no such process any more. An error, such as too many open files, says nothing about the process.
[[nodiscard]] base::result<std::optional<process_facts>> read_process_facts(pid_t pid);

// How long a process that started at that tick has been running.
[[nodiscard]] std::chrono::milliseconds age_of(std::uint64_t start);

}  // namespace os
