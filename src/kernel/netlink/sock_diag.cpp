#include "kernel/netlink/sock_diag.hpp"

#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <system_error>
#include <vector>

#include "base/result.hpp"
#include "kernel/netlink/attributes.hpp"
#include "kernel/netlink/sock_diag_codec.hpp"
#include "kernel/netlink/socket.hpp"
#include "net/protocol.hpp"

namespace netlink {
namespace {

constexpr std::chrono::milliseconds limit{500};
constexpr std::size_t most_sockets = 100'000, most_connections = 1'000'000;

using clock = std::chrono::steady_clock;

// Adds the sockets of one protocol and family.
base::result<> add_listeners(socket& kernel, net::protocol protocol, int family, clock::time_point deadline,
                             std::vector<diag_socket>& into) {
  const auto read = [protocol](bytes_view datagram, std::vector<diag_socket>& found) {
    const auto part = parse_listener_dump(datagram, protocol);
    found.insert(found.end(), part.begin(), part.end());
  };
  const auto found =
      kernel.dump<std::vector<diag_socket>>({.request = listener_dump_request(protocol, family),
                                             .name = "list of " + std::string(net::to_string(protocol)) + " sockets",
                                             .deadline = deadline,
                                             .most_messages = most_sockets - std::min(most_sockets, into.size())},
                                            read);
  if (!found) return std::unexpected(found.error());
  into.insert(into.end(), found->begin(), found->end());
  return {};
}

// The filter passes messages about sockets without a peer, such as listeners. Their port is 0 if the kernel reports
// only the socket's remaining state.
std::array<sock_filter, 7> listeners_only(port_range ignored_ports) {
  constexpr std::uint32_t id = NLMSG_HDRLEN + offsetof(inet_diag_msg, id);
  return {{
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, id + offsetof(inet_diag_sockid, idiag_dport)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0},
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, id + offsetof(inet_diag_sockid, idiag_sport)},
      {BPF_JMP | BPF_JGE | BPF_K, 0, 1, ignored_ports.first},
      {BPF_JMP | BPF_JGT | BPF_K, 0, 1, ignored_ports.last},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  }};
}

}  // namespace

base::result<listening> list_listeners() {
  const auto deadline = clock::now() + limit;
  auto kernel = socket::open(NETLINK_SOCK_DIAG);
  if (!kernel) return std::unexpected(kernel.error());
  listening found;
  for (const auto protocol : {net::protocol::tcp, net::protocol::udp})
    for (const int family : {AF_INET, AF_INET6}) {
      const auto done = add_listeners(*kernel, protocol, family, deadline, found.sockets);
      if (done) continue;
      if (done.error().code != std::errc::no_such_file_or_directory) return std::unexpected(done.error());
      if (std::ranges::find(found.unsupported, protocol) == found.unsupported.end())
        found.unsupported.push_back(protocol);
    }
  if (found.unsupported.size() == 2) return base::fail(std::errc::no_such_file_or_directory, "sock_diag");
  return found;
}

base::result<bool> has_connection_into_loopback() {
  const auto deadline = clock::now() + limit;
  auto kernel = socket::open(NETLINK_SOCK_DIAG);
  if (!kernel) return std::unexpected(kernel.error());
  for (const int family : {AF_INET, AF_INET6}) {
    const auto read = [](bytes_view datagram, bool& found) { found = found || leads_into_loopback(datagram); };
    const auto found = kernel->dump<bool>({.request = connection_dump_request(family),
                                           .name = "list of tcp connections",
                                           .deadline = deadline,
                                           .most_messages = most_connections},
                                          read);
    if (!found || *found) return found;
  }
  return false;
}

base::result<socket> watch_closed(net::protocol protocol, port_range ignored_ports) {
  const auto filter = listeners_only(ignored_ports);
  const bool tcp = protocol == net::protocol::tcp;
  return socket::open(NETLINK_SOCK_DIAG, {.groups = {tcp ? SKNLGRP_INET_TCP_DESTROY : SKNLGRP_INET_UDP_DESTROY,
                                                     tcp ? SKNLGRP_INET6_TCP_DESTROY : SKNLGRP_INET6_UDP_DESTROY},
                                          .filter = filter});
}

}  // namespace netlink
