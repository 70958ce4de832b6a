#include "programs/privileged_service/privileged_service.hpp"

#include <chrono>
#include <memory>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "net/address.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "program/program_description.hpp"
#include "programs/port_proxy/caller.hpp"
#include "programs/port_proxy/port_listeners.hpp"
#include "programs/port_proxy/proxy_daemon.hpp"
#include "programs/privileged_service/claim_table.hpp"
#include "programs/privileged_service/vm_network.hpp"
#include "protocols/port_mapping/message.hpp"

namespace privileged_service {
namespace {

// An agent keeps one silent connection to check that it still reaches us. Other clients have no reason to be silent for
// long.
constexpr std::chrono::hours silent_limit{24};

constexpr auto program_name = "privileged-service";

constexpr auto description =
    "Makes ports that are published inside virtual machines reachable on this host, where the VMs' users may not open "
    "ports themselves.\n\n"
    "The guest agent of a VM (rancher-desktop-guestagent -privilegedService) sends PortMapping messages, which vtunnel "
    "carries here: one JSON document for each connection, without an answer. For each binding it listens on the "
    "binding's address and port, TCP or UDP, and relays to the same port of the VM: to the first address of the same "
    "family in the message's connectAddrs. 0.0.0.0 also listens on IPv6. A busy port is tried again until it is "
    "free.\n\n"
    "Several VMs may use it, each through a vtunnel host of its own. A removal withdraws only what the same vtunnel "
    "host requested for the same address. A port that two VMs request belongs to the first one until it withdraws it. "
    "The address of a VM is on a network of this host other than that of the default route, and never this host's "
    "own.\n\n"
    "SIGTERM and SIGINT close all listeners, remove the socket file and end the program with 0. A second instance on "
    "the same socket file does not start. The socket file of an instance that died is replaced. A process that can "
    "connect can open any port of this host. So the socket belongs to its owner only. -listen, for tunnels that "
    "support only TCP, accepts loopback addresses only, and connections of root and of its own user only.";

}  // namespace

privileged_service::privileged_service() : proxy_daemon("/run/privileged-service.sock", {.idle_limit = silent_limit}) {}

program::about privileged_service::info() const { return {.name = program_name, .description = description}; }

void privileged_service::declare(program::flag_set& flags) {
  proxy_daemon::declare(flags);
  flags.add("listen", tcp_, program::loopback_endpoint, "",
            "The `address` (IP:PORT, on loopback) that receives the messages instead of the socket.");
  flags.add("vmNetworks", vms_, vm_network::parse, "",
            "The networks of the VMs, a `list` like 172.16.0.0/12,fd00::/8. Empty: every network of this host except "
            "that of the default route.");
  flags.add("loopbackTargets", loopback_targets_,
            "Also relay to loopback addresses, if a message says that its VM is reached there. A process that sends "
            "messages can then open every port of this host that listens on loopback only.");
}

base::result<> privileged_service::open(const async::executor& where) {
  const auto refuse = [this](const net::address& ip) { return ip.is_loopback() ? std::string() : vms_.refuse(ip); };
  claims_ =
      std::make_unique<claim_table>(claim_options{.loopback_targets = loopback_targets_, .refuse_target = refuse});
  return proxy_daemon::open(where);
}

void privileged_service::handle(const port_mapping::message& m, const port_proxy::caller& from,
                                port_proxy::port_listeners& listeners) {
  const auto made = claims_->apply(m, from);
  for (const auto& text : made.notes) base::log::throttled(notes_, base::log::level::warn, program_name, "{}", text);
  for (const auto& c : made.changes) {
    if (c.target)
      listeners.add(c.key, *c.target);
    else
      listeners.remove(c.key);
  }
}

}  // namespace privileged_service
