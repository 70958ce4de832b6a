// tcp_traffic: connections of a test between network namespaces, and what it expects of the bytes on them.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "tests/integration/byte_stream.hpp"
#include "tests/support/netns.hpp"

namespace integration {

inline constexpr std::size_t megabyte = std::size_t{1} << 20U;

[[nodiscard]] base::unique_fd accept_from(int listener, std::chrono::seconds limit = patience);
// A connection that blocks; empty with errno otherwise. Over a link that loses frames a connect takes its time.
[[nodiscard]] base::unique_fd dial(const support::netns& from, const net::endpoint& to,
                                   std::chrono::seconds limit = patience);
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
