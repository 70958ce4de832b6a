// byte_stream: the bytes that tests send over TCP, on blocking sockets. Each stream has the same bytes at the same
// positions, so a receiver notices loss, repetition and exchange anywhere without a hash.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "base/unique_fd.hpp"

namespace integration {

// How long one call on a socket may wait.
inline constexpr std::chrono::seconds patience{20};

// The bytes from that position of a stream on: at least one, at most `most`.
[[nodiscard]] std::span<const char> stream_bytes(std::size_t position, std::size_t most);

// Sends that many bytes from `position` on; false after an error.
bool send_stream(int fd, std::size_t bytes, std::size_t position = 0);
// How many bytes came before the end, if all were those of the stream. Nothing after a wrong one or an error (see
// errno; 0 for a wrong byte).
[[nodiscard]] std::optional<std::size_t> receive_stream(int fd);
// The same for a given number of bytes, without the end.
[[nodiscard]] bool receive_part(int fd, std::size_t bytes, std::size_t position);

// The socket blocks, with a limit for each call.
void set_blocking(int fd, std::chrono::seconds limit = patience);
// Ends a connection by a reset.
void reset(base::unique_fd& fd);

}  // namespace integration
