// engine_server: finds the process that serves an engine's UNIX socket. The kernel names it for a connection, which
// sends nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/result.hpp"

namespace host_sockets {

struct server_claim {
  pid_t pid = 0;  // of the caller of listen(); 0: a process that this pid namespace does not show
  bool operator==(const server_claim&) const = default;
};

// Nothing: the kernel says that no process serves it. Fails if that is unknown; does not wait.
[[nodiscard]] base::result<std::optional<server_claim>> find_server(const std::filesystem::path& socket);

// The inode of the socket bound to this path, as in /proc/<pid>/fd, in the network namespace of process `in`. For a
// socket on which an init system listens in the engine's place. Nothing: the list does not have it.
[[nodiscard]] base::result<std::optional<std::uint32_t>> find_bound_socket(const std::filesystem::path& socket,
                                                                           pid_t in);

}  // namespace host_sockets
