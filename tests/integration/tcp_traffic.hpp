// tcp_traffic: connections of a test, and the bytes on them. Each stream has the same bytes at the same positions, so a
// receiver notices loss, repetition and exchange anywhere without a hash.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "tests/support/netns.hpp"

namespace integration {

inline constexpr std::size_t megabyte = std::size_t{1} << 20U;
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
[[nodiscard]] base::unique_fd accept_from(int listener, std::chrono::seconds limit = patience);
// A connection that blocks; empty with errno otherwise. Over a link that loses frames a connect takes its time.
[[nodiscard]] base::unique_fd dial(const support::netns& from, const net::endpoint& to,
                                   std::chrono::seconds limit = patience);
// Ends a connection by a reset.
void reset(base::unique_fd& fd);
// The next read says that the connection was reset, within the socket's limit.
void expect_reset(int fd);

struct tcp_pair {
  base::unique_fd client, server;
  [[nodiscard]] explicit operator bool() const { return client && server; }
};
// `listener` accepts what `from` dials at `to`.
[[nodiscard]] tcp_pair connect_by(int listener, const support::netns& from, const net::endpoint& to);

// `from` sends that many bytes and ends its side; `to` gets them all.
void expect_bytes(int from, int to, std::size_t bytes);
// The same both ways at one time.
void expect_bytes_both_ways(const tcp_pair& both, std::size_t bytes);

}  // namespace integration
