// process_state: what a running program uses, from /proc.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace integration {

[[nodiscard]] std::size_t open_descriptors(pid_t process);
[[nodiscard]] std::size_t resident_bytes(pid_t process);
[[nodiscard]] std::chrono::milliseconds cpu_time(pid_t process);
// How often its threads have waited and woken.
[[nodiscard]] std::uint64_t voluntary_switches(pid_t process);
// Whether it keeps freed memory to find errors (AddressSanitizer).
[[nodiscard]] bool is_sanitized(pid_t process);

}  // namespace integration
