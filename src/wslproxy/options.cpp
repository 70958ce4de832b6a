#include "wslproxy/options.hpp"

#include "base/text.hpp"

namespace wslproxy {
namespace {

constexpr int largest_udp_buffer = 1 << 30;

constexpr auto description =
    "Makes the ports that are published inside the isolated network namespace of a container VM reachable in the "
    "namespace in which it runs, the one that the other WSL distributions share.\n\n"
    "The guest agent tells it what is published, by PortMapping messages on a UNIX socket: one JSON document for each "
    "connection, no answer. For each binding it listens on the binding's address and port, TCP or UDP, and relays to "
    "the "
    "same port of the upstream address. 0.0.0.0 takes IPv6 too. A port that is busy is tried again until it is "
    "free.\n\n"
    "SIGTERM and SIGINT close the listeners, remove the socket file and end the program with 0. A second instance on "
    "the "
    "same socket file does not start; the socket file of an instance that died is replaced.";

base::result<> set_upstream(options& into, std::string_view text) {
  const auto parsed = net::address::parse(text);
  if (!parsed || parsed->is_unspecified()) return base::fail("not an IP address to connect to");
  into.upstream = *parsed;
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
  base::flag_set flags("wsl-proxy", "[flags]", description);
  flags.add("debug", into.debug, "Log more.");
  flags.add("logfile", into.log_file, "The `file` to which the log is appended; empty: stderr.");
  flags.add("socketFile", into.socket_file, "The `path` of the UNIX socket that takes the messages; mode 0600.");
  flags.add_checked(
      "upstreamAddress", [&into](std::string_view text) { return set_upstream(into, text); }, into.upstream.to_string(),
      "The IP `address` to which the connections are relayed: the isolated namespace's end of the veth pair.");
  flags.add_checked(
      "udpBuffer", [&into](std::string_view text) { return set_udp_buffer(into, text); },
      std::to_string(into.udp_buffer_bytes),
      "The kernel's buffer of each UDP socket, in `bytes`; the kernel may grant less.");
  return flags;
}

}  // namespace wslproxy
