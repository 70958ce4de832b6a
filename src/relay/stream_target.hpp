// stream_target: where the connections of one stream listener are relayed to, and how each kind of socket ends.
//
//   the peer …            TCP                   UNIX                       virtual (AF_VSOCK)
//   ends one direction    EOF                   EOF                        EOF
//   (SHUT_WR)             EPOLLIN | EPOLLRDHUP  EPOLLIN | EPOLLRDHUP       EPOLLIN | EPOLLRDHUP
//   closes the socket     EOF; a write gets     EOF, then EPOLLHUP, which  EOF; looks the same as SHUT_WR
//                         a reset               cannot be masked
//   resets                EPOLLERR, ECONNRESET  no reset exists            no reset exists: SO_LINGER does nothing
//   we send a reset by    SO_LINGER and close   close before the other     close before the other direction has ended
//                                               direction has ended
//   is closed as a whole  -                     send of nothing: EPIPE     send of nothing: EPIPE
//
// So on a UNIX or virtual socket toward another relay (a tunnel), a close before the other direction has ended stands
// for a reset, and is_abandoned() finds it. A UNIX socket that reports EPOLLHUP is forgotten by epoll until it is to be
// read (tcp_connection::arm).
#pragma once

#include <cstdint>
#include <functional>

#include "net/endpoint.hpp"

namespace relay {

// Which side of the connections is a tunnel: a UNIX or virtual socket with another relay at its other end. A relay
// passes on the end of each direction separately. So a socket that it closes before the other direction has ended means
// a reset on the far side, and is passed on as a reset.
enum class tunnel_side : std::uint8_t { none, client, target };

struct stream_target {
  net::socket_address address;
  tunnel_side tunnel = tunnel_side::none;
  std::uint32_t only_cid = 0;  // of a virtual listener: closes connections of other machines at once; 0: serves all
};

// Whether to relay the connection of this socket, just accepted. Empty: relay all. Called on the listener's thread;
// does not block.
using admission = std::function<bool(int client)>;

}  // namespace relay
