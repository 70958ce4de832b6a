// port_reservers: the processes by which nerdctl (2.1.6 and later) holds the published ports of its containers for as
// long as they exist: a `sleep infinity` with the listening sockets, one for each container, noted in
// <run>/nerdctl/<namespace>/<container>/port-reserver.pid. They accept no connection; the container's own source
// publishes the ports.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>

#include "base/result.hpp"

namespace host_sockets {

struct reserver_note {
  std::chrono::system_clock::time_point written;
};

// What the files say, by pid; a process that started long after its file was written is another one. Reads 4,096 files
// of a few bytes at most, and fails where one of them, or a directory, cannot be read: which processes reserve ports
// is unknown then. Without <run>/nerdctl there are none.
[[nodiscard]] base::result<std::map<pid_t, reserver_note>> read_port_reservers(const std::filesystem::path& run);

}  // namespace host_sockets
