// action: what the stack's owner has to do for the VM. Ids identify flows of the stack; views are valid until the next
// call of a member of the stack other than next_action().
//
// The life of a flow, as the owner sees it:
//   the VM connects: connect → (connected() → readable | writable | finished)* → closed | reset
//                            → (connect_failed(): the flow is gone)
//   the owner opens: open() → established → as above
//                           → refused
// After refused, reset, closed, connect_failed() and abort() the id is invalid, and calls with it do nothing.
#pragma once

#include <cstdint>
#include <system_error>
#include <variant>

#include "netstack/dhcp/lease_table.hpp"
#include "netstack/stack/flow_id.hpp"

namespace netstack {

// An address of the subnet that belongs to one interface of a VM.
using dhcp::lease;

namespace action {

// The VM opens a connection. `asked` is the destination in its SYN, `to` the same after the nat table. If `to` is an
// address of the gateway, it means a service of the owner. Answer with connected() or connect_failed().
struct connect {
  flow_id flow;
  endpoint from, asked, to;
  std::uint8_t ttl = 0;  // remaining
};
// The VM has answered open().
struct established {
  flow_id flow;
};
// open() failed: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH or ENETUNREACH. The flow is gone.
struct refused {
  flow_id flow;
  std::error_code reason;
};
// arrived() has new bytes.
struct readable {
  flow_id flow;
};
// The VM has finished sending, and all its bytes are consumed: shut the socket down for writing.
struct finished {
  flow_id flow;
};
// send_room() is not empty any more.
struct writable {
  flow_id flow;
};
// The VM reset the connection or is silent, or a limit of the stack is reached: reset the host's socket. The flow is
// gone.
struct reset {
  flow_id flow;
};
// Both directions have ended in order. The flow is gone.
struct closed {
  flow_id flow;
};
// A UDP datagram of the VM, reassembled. Addresses as in connect.
struct datagram {
  endpoint from, asked, to;
  bytes_view payload;
  std::uint8_t ttl = 0;
  bool dont_fragment = false;
};
// An echo request for an address that is not ours: send it on, and answer with send_echo_reply().
struct echo {
  ipv4::address from, to;
  std::uint16_t id = 0, sequence = 0;
  bytes_view payload;
  std::uint8_t ttl = 0;
  bool dont_fragment = false;
};
// By ICMP the VM refuses the datagram from `from` to its port `to`: the port is closed (ECONNREFUSED), or the datagram
// is too large (EMSGSIZE).
struct datagram_refused {
  endpoint from, to;
  std::error_code reason;
};
// DHCP has assigned an address to a VM, or confirmed it.
struct lease_changed {
  lease what;
};

}  // namespace action

using any_action = std::variant<action::connect, action::established, action::refused, action::readable,
                                action::finished, action::writable, action::reset, action::closed, action::datagram,
                                action::echo, action::datagram_refused, action::lease_changed>;

}  // namespace netstack
