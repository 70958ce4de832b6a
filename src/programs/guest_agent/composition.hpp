// composition: which peers the agent has for its command line, and which part of the plan each gets. Pure; wiring.cpp
// creates them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ports/exposure_policy.hpp"
#include "programs/guest_agent/options.hpp"
#include "sources/host_sockets/engine_watch.hpp"

namespace guest_agent {

enum class peer_kind : std::uint8_t { host_switch, privileged_service, wsl_proxy, loopback, local_listeners };

[[nodiscard]] std::vector<peer_kind> peers_of(const options& o, const settings& s);
[[nodiscard]] ports::peer_role role_of(peer_kind kind);  // which part of the plan it gets

// The Kubernetes API itself, for kubectl in the other WSL distributions. Empty without -kubernetes or without
// wsl-proxy.
[[nodiscard]] ports::snapshot static_ports(const options& o, const settings& s);

// The ports that the listeners source leaves out: -ignore-listeners, and always the port of the vtunnel peer. That one
// belongs to another process. On the host it would let every user there send to the privileged service.
[[nodiscard]] host_sockets::ignore_list ignored_listeners(const options& o, const settings& s);

// The engines whose sockets it leaves out, because a source of their own publishes their ports. `docker`: the address
// of the Docker engine.
[[nodiscard]] std::vector<host_sockets::watched_engine> watched_engines(const options& o,
                                                                        const http::server_address& docker);

}  // namespace guest_agent
