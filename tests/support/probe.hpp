// probe: manual checks from inside a namespace: connect to a port, send a line, read the answer. Each call has a
// deadline of its own, and returns nullopt without an answer. As root, or as another user:
// ask({lab.host(), unprivileged}, …).
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "tests/support/netns.hpp"

namespace support {

inline constexpr std::chrono::milliseconds probe_limit{1000};

// TCP: connects, sends `request`, ends its side, and reads until the other side ends. UDP: one datagram each way.
[[nodiscard]] std::optional<std::string> ask(const place& from, net::protocol protocol, const net::endpoint& to,
                                             std::string_view request, std::chrono::milliseconds limit = probe_limit);

// The body of `GET path`; nullopt without an answer or with another status than 200.
[[nodiscard]] std::optional<std::string> http_get(const place& from, const net::endpoint& to, std::string_view path,
                                                  std::chrono::milliseconds limit = probe_limit);

// The status of the answer to these bytes; nullopt if the connection was refused, reset or closed
// without one.
[[nodiscard]] std::optional<int> http_status(const place& from, const net::endpoint& to, std::string_view request,
                                             std::chrono::milliseconds limit = probe_limit);

// True if the port is closed: a TCP connection is refused at once.
[[nodiscard]] bool refused(const place& from, const net::endpoint& to);

// A connected, or with `listen` a listening, socket inside the namespace; empty if that fails.
[[nodiscard]] base::unique_fd open_socket(const place& in, net::protocol protocol, const net::endpoint& at,
                                          bool listen);

// The bytes of one datagram, or of one read; nullopt if nothing arrived in time.
[[nodiscard]] std::optional<std::string> receive_once(int fd, std::chrono::milliseconds limit = probe_limit);

struct listening_socket {
  net::protocol protocol;
  net::endpoint at;  // a socket on [::], which takes both families, as 0.0.0.0
  auto operator<=>(const listening_socket&) const = default;
};
// TCP sockets in LISTEN and UDP sockets that are not connected.
[[nodiscard]] std::set<listening_socket> listening_sockets(const netns& in);

}  // namespace support
