// network_config: reads the file in which nerdctl 2 notes a container's ports. Where the directory is, a label says,
// that is, anybody who may create containers: nothing but a regular file of sane size in a real directory is read.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace containerd {

// The text of <directory>/network-config.json, of 1 MiB at most; nothing where there is no such file or directory. Does
// not wait, whatever the file is; where a file system hangs, it hangs, too: config_reader reads beside the loop.
[[nodiscard]] base::result<std::optional<std::string>> read_network_config(std::string_view directory);

}  // namespace containerd
