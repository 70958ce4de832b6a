// What guestagentctl prints: the agent's status document (agent/status.hpp) as tables for people. Pure.
#pragma once

#include <string>

#include "json/json.hpp"

namespace guestagentctl {

// One line a port: what the host binds, whose it is, its state at each peer, and why it is not where it should be.
[[nodiscard]] std::string list_ports(const json::value& document);

// The agent itself, its sources with what they refused, and its peers.
[[nodiscard]] std::string list_status(const json::value& document);

}  // namespace guestagentctl
