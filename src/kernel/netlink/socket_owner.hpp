// socket_owner: the user at the other end of a local TCP connection. TCP on a loopback address is open to every user of
// the machine; the kernel knows the user of the client's socket.
#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace netlink {

// `accepted`: a TCP socket that accept(2) returned. The user of the client's socket, if that is in this network
// namespace and its process has not closed it; an error otherwise. Does not block: the kernel answers within send(2).
[[nodiscard]] base::result<std::uint32_t> owner_of_client(int accepted);

enum class client_kind : std::uint8_t {
  own,      // root's, or of this process's user
  foreign,  // of another user
  closed,   // of this machine, and no longer held by a process
  unknown,  // cannot be looked up, or of another machine
};
[[nodiscard]] client_kind kind_of_client(int accepted);

// Whether that user is root or this process's own. False if it is unknown.
[[nodiscard]] bool is_from_own_user(int accepted);

}  // namespace netlink
