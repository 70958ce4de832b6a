// socket_owner: which user of this machine is at the other end of a TCP connection. TCP on a loopback address is open
// to every user; the kernel knows who made the client's socket, and is asked for exactly that one.
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
  closed,   // of this machine, and no process holds it any more
  unknown,  // cannot be looked up, or of another machine
};
[[nodiscard]] client_kind kind_of_client(int accepted);

// Whether that user is root or this process's own. False where it is not known.
[[nodiscard]] bool is_from_own_user(int accepted);

}  // namespace netlink
