// rights: what a program needs of the kernel's privileges. It gives up all others itself, so that it has as few under
// OpenRC, or started by hand, as under its systemd unit. See "Rights" in SECURITY.md and docs/adr/0035.
#pragma once

#include <linux/capability.h>

#include <initializer_list>
#include <string_view>
#include <vector>

#include "async/task_group.hpp"
#include "base/result.hpp"
#include "os/call_filter.hpp"
#include "os/capabilities.hpp"
#include "program/system_calls.hpp"

namespace program {

struct needed_right {
  os::capability capability;
  const char* without;  // what does not work without it, for the log: "ports below 1024 are not opened"
};

// Of programs that listen on ports for others.
inline constexpr needed_right low_ports{{CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"},
                                        "ports below 1024 are not opened"};
inline constexpr needed_right large_buffers{{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                                            "the system's limits apply to the buffers of sockets"};
inline constexpr needed_right foreign_files{{CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
                                            "files and sockets of other users are out of reach"};

struct rights {
  std::vector<needed_right> capabilities;
  os::allowed_calls calls;  // once it serves
};

// Keeps these capabilities, as far as the program has them, and gives up all others. Logs those that it has not.
[[nodiscard]] base::result<> keep_capabilities(std::string_view program, const std::vector<needed_right>& needed);

// From now on only these calls. Logs each other one that the program makes, once; and if there is no filter, why.
// Builds with sanitizers have none: those need calls of their own.
void filter_calls(std::string_view program, const os::allowed_calls& allowed, async::task_group& tasks);

// The calls of a program that starts no other.
[[nodiscard]] os::allowed_calls calls_of_service();
// Those of a program that starts others, and of what it starts, with more groups.
[[nodiscard]] os::allowed_calls calls_of_parent(std::initializer_list<system_calls::numbers> more = {});

}  // namespace program
