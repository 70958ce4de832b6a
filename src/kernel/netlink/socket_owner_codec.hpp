// socket_owner_codec: the messages of NETLINK_SOCK_DIAG that ask for one TCP connection. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "net/endpoint.hpp"

namespace netlink {

// Asks for the socket whose own end is `local` and whose other end is `remote`; both of one family.
[[nodiscard]] std::vector<std::byte> connection_request(const net::endpoint& local, const net::endpoint& remote);

// The user who made that socket, from the answer. An error for every other answer: another socket, which the kernel
// names where a listener has that port; with no_such_process a socket that its process has closed, which the kernel
// shows as root's.
[[nodiscard]] base::result<std::uint32_t> parse_connection_owner(std::span<const std::byte> datagram,
                                                                 const net::endpoint& local,
                                                                 const net::endpoint& remote);

}  // namespace netlink
