#include "programs/wsl_proxy/wsl_proxy.hpp"

#include "program/flag_values.hpp"

namespace wsl_proxy {
namespace {

constexpr auto description =
    "Makes the ports that are published inside the isolated network namespace of a container VM reachable in the "
    "namespace in which it runs, the one that the other WSL distributions share.\n\n"
    "The guest agent tells it what is published, by PortMapping messages on a UNIX socket: one JSON document for each "
    "connection, no answer. For each binding it listens on the binding's address and port, TCP or UDP, and relays to "
    "the same port of the upstream address. 0.0.0.0 takes IPv6 too. A port that is busy is tried again until it is "
    "free.\n\n"
    "SIGTERM and SIGINT close the listeners, remove the socket file and end the program with 0. A second instance on "
    "the same socket file does not start; the socket file of an instance that died is replaced.";

}  // namespace

program::about wsl_proxy::what() const { return {.name = "wsl-proxy", .description = description}; }

void wsl_proxy::declare(program::flag_set& flags) {
  proxy_daemon::declare(flags);
  flags.add("upstreamAddress", upstream_, program::ip_address,
            "The IP `address` to which the connections are relayed: the isolated namespace's end of the veth pair.");
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
