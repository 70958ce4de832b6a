// classify: whether a listening socket is a published port and, if it is not, why. All reasons are here. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "kernel/netlink/sock_diag.hpp"
#include "sources/host_sockets/ignore_list.hpp"

namespace host_sockets {

// The kind of process that holds a socket. Of several holders the one further down this list decides.
enum class owner : std::uint8_t {
  unresolved,  // not looked up, or the socket closed meanwhile
  other,       // a server of the VM or of a container
  starting,    // possibly an engine: it has the name, and no process serves the engine's socket yet
  agent,       // this process
  engine,      // the server of a watched engine's socket, or its child: docker-proxy
  reserver,    // holds the port for an engine, and accepts no connection
  kernel,      // no process holds it: VXLAN, Geneve, WireGuard, NFS
  unknown,     // /proc could not be read
};

using owner_map = std::unordered_map<std::uint32_t, owner>;  // by inode

enum class exclusion : std::uint8_t {
  ignored,
  multicast,
  client_port,
  device,
  momentary,
  agent,
  engine,
  starting,
  reserver,
  kernel,
  unknown_owner,
};

struct observation {
  netlink::diag_socket socket;
  bool young = false;  // a UDP socket that is too young for a server
  owner held_by = owner::unresolved;
};

struct rules {
  const ignore_list& ignored;
  netlink::port_range ephemeral;  // ports that the kernel gives to clients
};

// Returns nothing if the socket is published. Rules about the port and the address come first, so that only a socket
// that passes them needs an owner.
[[nodiscard]] std::optional<exclusion> classify(const observation& o, const rules& by);
[[nodiscard]] bool needs_owner(const observation& o, const rules& by);
// Whether this process may hold it as a relay: those are bound to a peer's interface. They are no servers to report.
[[nodiscard]] bool may_be_relay(const netlink::diag_socket& s);

// How the status shows sockets of one exclusion.
enum class display : std::uint8_t { hidden, counted, named };
[[nodiscard]] display display_of(exclusion e);
[[nodiscard]] std::string_view to_text(exclusion e);
// One word, by which guestagentctl knows what would have to change.
[[nodiscard]] std::string_view name_of(exclusion e);
inline constexpr std::size_t exclusion_count = 11;

}  // namespace host_sockets
