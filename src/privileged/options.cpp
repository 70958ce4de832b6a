#include "privileged/options.hpp"

#include "base/text.hpp"

namespace privileged {
namespace {

constexpr int largest_udp_buffer = 1 << 30;

constexpr auto description =
    "Makes the ports that are published inside virtual machines reachable on this host, where their users may not open "
    "ports themselves.\n\n"
    "The guest agent of a VM tells it what is published (rancher-desktop-guestagent -privilegedService), by "
    "PortMapping "
    "messages that vtunnel carries here: one JSON document for each connection, no answer. For each binding it listens "
    "on the binding's address and port, TCP or UDP, and relays to the same port of the VM: to the first address of the "
    "same family that the message names in connectAddrs. 0.0.0.0 takes IPv6 too. A port that is busy is tried again "
    "until it is free.\n\n"
    "Several VMs may use it. A removal removes what the VM of the same address asked for, and nothing else; a port "
    "that "
    "two ask for goes to the one that came last, and back when that one gives it up.\n\n"
    "SIGTERM and SIGINT close all listeners, remove the socket file and end the program with 0. A second instance on "
    "the same socket file does not start; the socket file of an instance that died is replaced. Whoever may connect "
    "can "
    "open any port of this host: the socket is its owner's alone, and -listen, for tunnels that know TCP only, takes "
    "loopback addresses only, where every user of this host may connect.";

base::result<> set_listen(options& into, std::string_view text) {
  const auto at = net::parse_endpoint(text);
  if (!at || at->port == 0 || !at->ip.is_loopback()) return base::fail("not IP:PORT on loopback");
  into.listen = *at;
  return {};
}

base::result<> set_udp_buffer(options& into, std::string_view text) {
  const auto bytes = base::parse_number<int>(text);
  if (!bytes || *bytes < 0 || *bytes > largest_udp_buffer) return base::fail("not a size from 0 to 1073741824");
  into.udp_buffer_bytes = *bytes;
  return {};
}

}  // namespace

base::flag_set flags_for(options& into) {
  base::flag_set flags("privileged-service", "[flags]", description);
  flags.add("debug", into.debug, "Log more.");
  flags.add("logfile", into.log_file, "The `file` to which the log is appended; empty: stderr.");
  flags.add("socketFile", into.socket_file, "The `path` of the UNIX socket that takes the messages; mode 0600.");
  flags.add_checked(
      "listen", [&into](std::string_view text) { return set_listen(into, text); }, "",
      "The `address` (IP:PORT, on loopback) that takes the messages instead of the socket.");
  flags.add("loopbackTargets", into.loopback_targets,
            "Relay to loopback addresses too, where a message says that its VM is reached there. Every port of this "
            "host that listens on loopback only can then be opened to the outside by whoever sends messages.");
  flags.add_checked(
      "udpBuffer", [&into](std::string_view text) { return set_udp_buffer(into, text); },
      std::to_string(into.udp_buffer_bytes),
      "The kernel's buffer of each UDP socket, in `bytes`; the kernel may grant less.");
  return flags;
}

}  // namespace privileged
