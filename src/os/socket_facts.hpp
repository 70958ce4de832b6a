// socket_facts: what the kernel says about a socket. Pure questions: nothing is changed.
#pragma once

#include <optional>

#include "net/endpoint.hpp"

namespace os {

// SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET; nothing if the descriptor is not an open socket.
[[nodiscard]] std::optional<int> socket_type(int fd);

// Whether a SOCK_DGRAM socket has this UNIX name. If that cannot be determined, it has.
[[nodiscard]] bool is_bound(const net::socket_address& name);

}  // namespace os
