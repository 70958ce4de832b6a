// caller: the process that sends messages, as the kernel knows it.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>

namespace port_proxy {

// The process at the other end of a UNIX socket. `started` distinguishes it from a later process with the same pid.
// Over TCP both are 0: all clients are one caller.
struct caller {
  pid_t pid = 0;
  std::uint64_t started = 0;  // field 22 of /proc/PID/stat; 0: unreadable
  auto operator<=>(const caller&) const = default;
};
[[nodiscard]] caller caller_at(int fd);
// Whether that process still runs. True as well if that cannot be found out, and for a caller over TCP.
[[nodiscard]] bool is_alive(const caller& who);

}  // namespace port_proxy
