// network_config: reads the file in which nerdctl 2 notes a container's ports. A label names its directory, and anyone
// who can create containers can set that: only a regular file of limited size in a real directory is read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace containerd {

// The text of <directory>/network-config.json, of 1 MiB at most; nothing if the file or directory does not exist. Does
// not block on a FIFO or device, but does on a file system that hangs: config_reader reads beside the control thread.
[[nodiscard]] base::result<std::optional<std::string>> read_network_config(std::string_view directory);

}  // namespace containerd
