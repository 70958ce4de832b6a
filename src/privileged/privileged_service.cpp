#include "privileged/privileged_service.hpp"

#include "base/log.hpp"
#include "program/flag_values.hpp"

namespace privileged {
namespace {

// An agent keeps one silent connection to learn that it still reaches us; nobody else has a reason to be silent for
// long.
constexpr std::chrono::hours silent_limit{24};

constexpr auto program_name = "privileged-service";

constexpr auto description =
    "Makes the ports that are published inside virtual machines reachable on this host, where their users may not open "
    "ports themselves.\n\n"
    "The guest agent of a VM tells it what is published (rancher-desktop-guestagent -privilegedService), by "
    "PortMapping messages that vtunnel carries here: one JSON document for each connection, no answer. For each "
    "binding it listens on the binding's address and port, TCP or UDP, and relays to the same port of the VM: to the "
    "first address of the same family that the message names in connectAddrs. 0.0.0.0 takes IPv6 too. A port that is "
    "busy is tried again until it is free.\n\n"
    "Several VMs may use it. A removal removes what the VM of the same address asked for, and nothing else; a port "
    "that two ask for goes to the one that came last, and back when that one gives it up.\n\n"
    "SIGTERM and SIGINT close all listeners, remove the socket file and end the program with 0. A second instance on "
    "the same socket file does not start; the socket file of an instance that died is replaced. Whoever may connect "
    "can open any port of this host: the socket is its owner's alone, and -listen, for tunnels that know TCP only, "
    "takes loopback addresses only, where every user of this host may connect.";

}  // namespace

privileged_service::privileged_service() : proxy_daemon("/run/privileged-service.sock", {.idle_limit = silent_limit}) {}

program::about privileged_service::what() const { return {.name = program_name, .description = description}; }

void privileged_service::declare(base::flag_set& flags) {
  proxy_daemon::declare(flags);
  flags.add("listen", tcp_, program::loopback_endpoint, "",
            "The `address` (IP:PORT, on loopback) that takes the messages instead of the socket.");
  flags.add("loopbackTargets", loopback_targets_,
            "Relay to loopback addresses too, where a message says that its VM is reached there. Every port of this "
            "host that listens on loopback only can then be opened to the outside by whoever sends messages.");
}

base::result<> privileged_service::open(const io::executor& where) {
  claims_.emplace(claim_options{.loopback_targets = loopback_targets_});
  return proxy_daemon::open(where);
}

void privileged_service::handle(const portmapping::message& m, portproxy::port_listeners& listeners) {
  const auto made = claims_->apply(m);
  for (const auto& text : made.notes) base::log::warn(program_name, "{}", text);
  for (const auto& c : made.changes) {
    if (c.target)
      listeners.add(c.key, *c.target);
    else
      listeners.remove(c.key);
  }
}

}  // namespace privileged
