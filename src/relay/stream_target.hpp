// stream_target: what the connections of one stream listener are relayed to.
#pragma once

#include <cstdint>
#include <functional>

#include "net/endpoint.hpp"

namespace relay {

// Which side of the connections is a tunnel, that is a UNIX or virtual socket with another relay at its other end. Such
// sockets know no reset. But a relay tells the ends of streams one by one: a socket of its that is closed as a whole
// before the other direction has ended was reset on the far side, and is passed on as a reset.
enum class tunnel_side : std::uint8_t { none, client, target };

struct stream_target {
  net::socket_address address;
  tunnel_side tunnel = tunnel_side::none;
  std::uint32_t only_cid = 0;  // of a virtual socket: connections of other machines are closed at once; 0: of none
};

// Whether the connection of this socket, just accepted, may be relayed. Empty: every one may. Called on the listener's
// thread; does not block.
using admission = std::function<bool(int client)>;

}  // namespace relay
