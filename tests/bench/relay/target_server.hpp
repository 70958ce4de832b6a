// target_server: the target of the bench's relays. One thread, three ports from `first` on.
//
// first: TCP. Discards its input. At the end of file it answers with the number of bytes, as 8 bytes of the machine.
//
// first + 1: TCP. Answers each request_bytes with answer_bytes, and then closes if the request begins with 'c'.
//
// first + 2: UDP. Sends every datagram back.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

constexpr std::size_t request_bytes = 128;
constexpr std::size_t answer_bytes = 1024;
constexpr std::uint16_t sink_port = 0, answer_port = 1, echo_port = 2;  // to be added to `first`

// Serves on 127.0.0.1 until the process is killed.
[[noreturn]] void serve_target(std::uint16_t first);

}  // namespace bench
