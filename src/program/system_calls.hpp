// system_calls: what our programs ask of the kernel, in groups. Each program adds up its own (program/rights.hpp).
//
// The first group is made of the calls in the linked programs, which are static and so contain all that they can ever
// make. Beside each stand its relatives: what other versions of the C library, and arm64, use in its place.
#pragma once

#include <cstdint>
#include <vector>

namespace program::system_calls {

using numbers = std::vector<std::uint32_t>;

// Memory, threads, signals, time, files, sockets and events: each program's. None makes a process.
[[nodiscard]] numbers of_every_program();

// To start other programs, and what those need: iptables, udhcpc with its script, the tools of a shell.
[[nodiscard]] numbers of_programs_with_children();

// To load BPF programs and attach them.
[[nodiscard]] numbers of_bpf();

// To make and enter namespaces.
[[nodiscard]] numbers of_namespaces();

}  // namespace program::system_calls
