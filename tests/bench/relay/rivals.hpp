// The relays that the bench compares, each as a process of its own in front of a target_server: ours and three of
// Debian's, all configured to use as many threads as the machine has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"

namespace bench {

struct path {
  std::string name;
  std::uint16_t first;  // the ports, as target_server has them
  bool udp = true;      // does it relay UDP?
  std::vector<support::child_process> processes{};
};

// Direct first, then ours, then the others that are installed; ready to be used. Their files lie in `directory`.
[[nodiscard]] std::vector<path> start_paths(const std::filesystem::path& directory);

// Serves a target_server on 127.0.0.1 until the process is killed.
[[noreturn]] void serve_target(std::uint16_t first);

// Relays the first three ports at `first` to those at `target` with our listener_set until the process is killed.
[[noreturn]] void serve_relay(std::uint16_t first, std::uint16_t target);

}  // namespace bench
