#include "programs/wsl_proxy/wsl_proxy.hpp"

#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "program/program_description.hpp"
#include "programs/port_proxy/caller.hpp"
#include "programs/port_proxy/listener_table.hpp"
#include "programs/port_proxy/port_listeners.hpp"
#include "programs/port_proxy/proxy_daemon.hpp"
#include "protocols/port_mapping/message.hpp"

namespace wsl_proxy {
namespace {

constexpr auto description =
    "Makes ports that are published in the isolated network namespace of a container VM reachable in the namespace "
    "where it runs, which the other WSL distributions share.\n\n"
    "The guest agent sends it PortMapping messages on a UNIX socket: one JSON document for each connection, without an "
    "answer. For each binding it listens on the binding's address and port, TCP or UDP, and relays to the same port of "
    "the upstream address. 0.0.0.0 also listens on IPv6. A busy port is tried again until it is free.\n\n"
    "SIGTERM and SIGINT close the listeners, remove the socket file and end the program with 0. A second instance on "
    "the same socket file does not start. The socket file of an instance that died is replaced.";

}  // namespace

program::about wsl_proxy::info() const { return {.name = "wsl-proxy", .description = description}; }

void wsl_proxy::declare(program::flag_set& flags) {
  proxy_daemon::declare(flags);
  flags.add("upstreamAddress", upstream_, program::ip_address,
            "The IP `address` that connections are relayed to: the isolated namespace's end of the veth pair.");
}

void wsl_proxy::handle(const port_mapping::message& m, const port_proxy::caller&,
                       port_proxy::port_listeners& listeners) {
  for (const auto& b : m.bindings) {
    const auto key = port_proxy::key_of(b);
    if (m.remove)
      listeners.remove(key);
    else
      listeners.add(key, {upstream_, key.port});
  }
}

}  // namespace wsl_proxy
