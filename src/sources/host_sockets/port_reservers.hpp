// port_reservers: finds the processes by which nerdctl (2.1.6 and later) holds the published ports of its containers
// while they exist. Each is a `sleep infinity` with the listening sockets of one container, recorded in
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

// The content of the files, by pid. A process that started long after its file was written is another one. Reads at
// most 4,096 files of a few bytes. Fails if one of them, or a directory, cannot be read: then the reservers are
// unknown. Without <run>/nerdctl there are none.
[[nodiscard]] base::result<std::map<pid_t, reserver_note>> read_port_reservers(const std::filesystem::path& run);

}  // namespace host_sockets
