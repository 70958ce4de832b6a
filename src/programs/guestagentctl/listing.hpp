// The output of guestagentctl: the agent's status document as tables. Pure.
#pragma once

#include <string>

#include "programs/guestagentctl/port_filter.hpp"
#include "protocols/status_document/document.hpp"

namespace guestagentctl {

// One line a port: the address on the host, the owner, the state at each peer, and the reason if it is not applied.
// Ports that follow each other and are alike share a line, unless all are asked for. Ports that a rule leaves out are
// counted in the last line.
[[nodiscard]] std::string list_ports(const status_document::document& shown, const port_filter& filter = {});

// The agent itself, its sources with what they refused, and its peers.
[[nodiscard]] std::string list_status(const status_document::document& shown);

}  // namespace guestagentctl
