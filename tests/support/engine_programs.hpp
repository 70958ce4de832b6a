// engine_programs: which programs the engines of the tests are. Those in PATH, unless an environment variable names
// others: DOCKERD, DOCKER (its client) and CONTAINERD each name a program, CNI_PLUGINS a directory.
#pragma once

#include <filesystem>
#include <string>

namespace support {

// Its path where the variable names it, else `name`, for the PATH.
[[nodiscard]] std::string dockerd_program();
[[nodiscard]] std::string docker_program();
[[nodiscard]] std::string containerd_program();
// The one beside a containerd that is named, where there is one.
[[nodiscard]] std::string ctr_program();
[[nodiscard]] std::filesystem::path cni_plugins();
// They know nftables: those that are named, with a portmap of 1.6 or later. Debian's does not.
[[nodiscard]] bool cni_plugins_are_named();

// "PATH=…" for an engine: `tools` first, then the directory of the program, so that what it starts (a containerd,
// shims, proxies) is of its own release, then what the test has.
[[nodiscard]] std::string path_for(const std::filesystem::path& tools, const std::string& program);

// True for a path of a program, and for a name that a directory of PATH has.
[[nodiscard]] bool is_program(const std::string& program);

}  // namespace support
