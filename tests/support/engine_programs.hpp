// engine_programs: the programs of the engines under test. They are those in PATH, unless an environment variable names
// others: DOCKERD, DOCKER (its client) and CONTAINERD each name a program, CNI_PLUGINS a directory.
#pragma once

#include <filesystem>
#include <string>

namespace support {

// Its path if the variable names it, otherwise `name`, for the PATH.
[[nodiscard]] std::string dockerd_program();
[[nodiscard]] std::string docker_program();
[[nodiscard]] std::string containerd_program();
// The ctr beside a named containerd, if it exists.
[[nodiscard]] std::string ctr_program();
[[nodiscard]] std::filesystem::path cni_plugins();
// Whether they support nftables: named ones, with a portmap of 1.6 or later. Debian's does not.
[[nodiscard]] bool cni_plugins_are_named();

// "PATH=…" for an engine: `tools` first, then the directory of the program, so that it starts a containerd, shims and
// proxies of its own release, then the test's PATH.
[[nodiscard]] std::string path_for(const std::filesystem::path& tools, const std::string& program);

// True for a path of a program, and for a name that a directory of PATH has.
[[nodiscard]] bool is_program(const std::string& program);

}  // namespace support
