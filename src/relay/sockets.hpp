// sockets: opens, dials and inspects the relays' sockets, all of them non-blocking and close-on-exec.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"

namespace relay {

// Whose packets a listener takes; all by default. The kernel drops the others without an answer.
struct client_filter {
  std::string device{};        // SO_BINDTODEVICE: only packets that arrive there
  net::address network{};      // only from this (IPv4) network …
  unsigned prefix_length = 0;  // … with so many bits; 0: from everywhere
};

// Which packets a socket takes.
enum class intake : std::uint8_t {
  all,
  unicast,  // no broadcasts and multicasts
  nothing,  // until open_intake()
};

struct listener_spec {
  net::protocol protocol = net::protocol::tcp;  // tcp or udp
  net::endpoint listen;
  net::endpoint target;     // dialled for every connection and every UDP client
  bool dual_stack = false;  // with a wildcard `listen`: one socket for both families
  bool reuse_port = false;  // SO_REUSEPORT: only if two listeners of one program overlap on purpose
  intake takes = intake::all;
  client_filter clients{};
  int udp_buffer_bytes = 4 << 20;  // of the listening socket, each way; the kernel may grant less
};

// Bound, and for TCP listening. Accepted sockets inherit its options. The error's code is the kernel's:
// address_in_use, permission_denied …
[[nodiscard]] base::result<base::unique_fd> open_listener(const listener_spec& spec);

// Another socket at the UDP port of `first`, which open_listener() has opened for `spec`. The kernel chooses one of
// them by the addresses and ports of a datagram, so a client always meets the same one. The other sockets take no
// broadcasts, as the first one has them. `first` was bound alone: a port that another program holds stays an error.
// Until all are there it takes nothing: the choice depends on their number.
[[nodiscard]] base::result<base::unique_fd> open_beside(const base::unique_fd& first, const listener_spec& spec);

// Ends `intake::nothing`.
void open_intake(int fd);

struct dialled {
  base::unique_fd fd;
  bool connected = false;  // mostly with a target on this machine; otherwise under way
};
[[nodiscard]] base::result<dialled> dial(const net::socket_address& target);  // TCP, UNIX or vsock
// A UDP socket that talks to `target` alone.
[[nodiscard]] base::result<base::unique_fd> open_flow(const net::endpoint& target);

// The socket's pending error, 0 for none; reading clears it.
[[nodiscard]] int pending_error(int fd);
// Over IPv4 or IPv6.
[[nodiscard]] bool is_inet(int fd);
// Makes the coming close() send a reset instead of an orderly end, if the kind of socket has resets.
void reset_on_close(int fd);
// Of a UNIX or virtual socket with nothing left to read: whether its peer has closed it, and reads nothing more.
[[nodiscard]] bool is_abandoned(int fd);
// Whether errno says that this process or the kernel is short of resources for now.
[[nodiscard]] bool out_of_resources(int error_number);

}  // namespace relay
