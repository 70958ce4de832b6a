#include "sources/host_sockets/classify.hpp"

#include <optional>
#include <string_view>

#include "kernel/netlink/sock_diag.hpp"
#include "kernel/netlink/sock_diag_codec.hpp"
#include "net/address.hpp"
#include "net/protocol.hpp"

namespace host_sockets {
namespace {

bool is_multicast(const net::address& a) { return a.is_v4() ? a.data()[0] >= 224 : a.data()[0] == 0xff; }

bool is_link_local(const net::address& a) { return a.is_v6() && a.data()[0] == 0xfe && (a.data()[1] & 0xc0) == 0x80; }

bool is_client_port(const netlink::diag_socket& s, netlink::port_range ephemeral) {
  return s.protocol == net::protocol::udp && ephemeral.first <= s.at.port && s.at.port <= ephemeral.last;
}

std::optional<exclusion> classify_owner(owner o) {
  switch (o) {
    case owner::other: return std::nullopt;
    case owner::agent: return exclusion::agent;
    case owner::engine: return exclusion::engine;
    case owner::starting: return exclusion::starting;
    case owner::reserver: return exclusion::reserver;
    case owner::kernel: return exclusion::kernel;
    case owner::unresolved: return exclusion::momentary;
    case owner::unknown: break;
  }
  return exclusion::unknown_owner;
}

}  // namespace

// A socket bound to one interface is meant for that network only.
std::optional<exclusion> classify(const observation& o, const rules& by) {
  const auto& s = o.socket;
  if (o.held_by == owner::agent) return exclusion::agent;
  if (by.ignored.contains(s.protocol, s.at.port)) return exclusion::ignored;
  if (is_multicast(s.at.ip)) return exclusion::multicast;
  if (o.young) return exclusion::momentary;
  if (is_client_port(s, by.ephemeral)) return exclusion::client_port;
  if (s.device != 0 || is_link_local(s.at.ip)) return exclusion::device;
  return classify_owner(o.held_by);
}

bool may_be_relay(const netlink::diag_socket& s) { return s.device != 0; }

bool needs_owner(const observation& o, const rules& by) {
  return !classify({.socket = o.socket, .young = o.young, .held_by = owner::other}, by);
}

display display_of(exclusion e) {
  switch (e) {
    case exclusion::momentary: return display::hidden;
    case exclusion::agent:
    case exclusion::engine:
    case exclusion::reserver: return display::counted;
    case exclusion::ignored:
    case exclusion::multicast:
    case exclusion::client_port:
    case exclusion::device:
    case exclusion::starting:
    case exclusion::kernel:
    case exclusion::unknown_owner: break;
  }
  return display::named;
}

std::string_view name_of(exclusion e) {
  switch (e) {
    case exclusion::ignored: return "ignored";
    case exclusion::multicast: return "multicast";
    case exclusion::client_port: return "client-port";
    case exclusion::device: return "device";
    case exclusion::momentary: return "momentary";
    case exclusion::agent: return "agent";
    case exclusion::engine: return "engine";
    case exclusion::starting: return "starting";
    case exclusion::reserver: return "reserver";
    case exclusion::kernel: return "kernel";
    case exclusion::unknown_owner: break;
  }
  return "unknown-owner";
}

std::string_view to_text(exclusion e) {
  switch (e) {
    case exclusion::ignored: return "-ignore-listeners leaves this port out";
    case exclusion::multicast: return "listens on a multicast address";
    case exclusion::client_port: return "UDP on a port of net.ipv4.ip_local_port_range, which clients get";
    case exclusion::device: return "bound to one network interface";
    case exclusion::momentary: return "not open long enough yet";
    case exclusion::agent: return "opened by this agent";
    case exclusion::engine: return "opened by a watched engine, whose own source publishes its ports";
    case exclusion::starting: return "opened just now by a process that may be an engine's";
    case exclusion::reserver: return "held by nerdctl for a container, whose own source publishes its ports";
    case exclusion::kernel: return "held by no process in sight: the kernel's own";
    case exclusion::unknown_owner: break;
  }
  return "its process cannot be determined";
}

}  // namespace host_sockets
