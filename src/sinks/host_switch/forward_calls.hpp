// The agent's side of host-switch's forwarder API (gvisor-tap-vsock, pkg/services/forwarder): what it sends, and what
// the answers mean. Pure.
#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"
#include "net/address.hpp"
#include "ports/sink.hpp"

namespace host_switch_peer {

// POST /services/forwarder/expose or /unexpose for one forward; the VM is reached at `tap`.
[[nodiscard]] http::request encode(const ports::operation& op, const net::address& tap);

[[nodiscard]] ports::outcome classify(ports::verb what, const http::response& answer);

// The answer of GET /services/forwarder/all. A forward's identity is its local address as text: what is not written the
// way encode() writes it is somebody else's, and left out. The error: it is no such answer at all.
[[nodiscard]] base::result<ports::peer_state> parse_all(std::string_view body, const net::address& tap);

}  // namespace host_switch_peer
