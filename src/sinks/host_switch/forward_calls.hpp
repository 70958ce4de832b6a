// forward_calls: the agent's operations as calls of host-switch's forwarder API, and its answers as outcomes. Pure.
#pragma once

#include <string_view>

#include "http/message.hpp"
#include "net/address.hpp"
#include "ports/sink.hpp"

namespace host_switch_peer {

// The call for one forward; host-switch reaches the VM at `tap`.
[[nodiscard]] http::request encode(const ports::operation& op, const net::address& tap);

[[nodiscard]] ports::outcome classify(ports::verb what, const http::response& answer);

// The answer to a call of /services/forwarder/all. A forward's identity is its local address as text. One that is not
// written as encode() writes it was exposed by another program, and is left out. The error: the answer is not a list.
[[nodiscard]] base::result<ports::peer_state> parse_all(std::string_view body, const net::address& tap);

}  // namespace host_switch_peer
