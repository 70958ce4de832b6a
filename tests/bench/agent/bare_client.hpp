// bare_client: the least program that does the agent's work for one event, to compare the agent with. It waits for an
// event, asks the engine about the container, and posts the port to host-switch, on connections that it made before.
// No coroutines, no table, no journal, no deadlines: blocking sockets in a process of its own. It trusts everybody.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "tests/support/child_process.hpp"

namespace bench {

enum class bare_engine : std::uint8_t { docker, containerd };

// The program itself again, as a bare client of the engine at `socket` and the host-switch on 127.0.0.1.
[[nodiscard]] support::child_process start_bare_client(bare_engine engine, const std::filesystem::path& socket,
                                                       std::uint16_t host_switch, const std::filesystem::path& log);

// Whether these are a bare client's arguments, which end the program when it has ended.
[[nodiscard]] bool is_bare_client(std::span<char* const> arguments);
[[noreturn]] void run_bare_client(std::span<char* const> arguments);

}  // namespace bench
