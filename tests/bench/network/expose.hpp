// expose: asks a network to expose the ports of the VM's and the container's servers on the host's 127.0.0.1.
#pragma once

#include <filesystem>

#include "net/address.hpp"
#include "tests/support/netns.hpp"

namespace bench {

// By the forwarder API on port 80 of the gateway, as host-switch and gvproxy have it. Called for the VM.
void expose_by_gateway(const support::netns& vm, const net::address& gateway, const net::address& vm_address);

// By slirp4netns' API socket.
void expose_by_slirp(const std::filesystem::path& socket, const net::address& vm_address);

}  // namespace bench
