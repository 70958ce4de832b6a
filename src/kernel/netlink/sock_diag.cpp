#include "kernel/netlink/sock_diag.hpp"

#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>

namespace netlink {
namespace {

constexpr std::chrono::milliseconds limit{500};
constexpr std::size_t most_sockets = 100'000;

using clock = std::chrono::steady_clock;

base::error dump_error(net::protocol protocol, int number) {
  return {std::error_code(number, std::system_category()),
          "list of " + std::string(net::to_string(protocol)) + " sockets"};
}

// Adds the sockets of one protocol and family.
base::result<> dump(int fd, net::protocol protocol, int family, clock::time_point deadline,
                    std::vector<diag_socket>& into) {
  const auto request = listener_dump_request(protocol, family);
  if (::send(fd, request.data(), request.size(), 0) != std::ssize(request))
    return std::unexpected(dump_error(protocol, errno));
  std::array<std::byte, 32'768> buffer;
  while (true) {
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(dump_error(protocol, errno));
    auto part = parse_listener_dump(std::span(buffer).first(static_cast<std::size_t>(got)), protocol);
    into.insert(into.end(), part.sockets.begin(), part.sockets.end());
    if (part.error_number != 0) return std::unexpected(dump_error(protocol, part.error_number));
    if (part.done) return {};
    if (clock::now() > deadline) return std::unexpected(dump_error(protocol, ETIMEDOUT));
    if (into.size() > most_sockets) return std::unexpected(dump_error(protocol, EOVERFLOW));
  }
}

// The filter passes messages about sockets without a peer, such as listeners. Their port is 0 if the kernel reports
// only the socket's remaining state.
bool keep_listeners(int fd, port_range ignored_ports) {
  constexpr std::uint32_t id = NLMSG_HDRLEN + offsetof(inet_diag_msg, id);
  std::array<sock_filter, 7> code{{
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, id + offsetof(inet_diag_sockid, idiag_dport)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0},
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, id + offsetof(inet_diag_sockid, idiag_sport)},
      {BPF_JMP | BPF_JGE | BPF_K, 0, 1, ignored_ports.first},
      {BPF_JMP | BPF_JGT | BPF_K, 0, 1, ignored_ports.last},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  }};
  const sock_fprog program{code.size(), code.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

}  // namespace

base::result<listening> list_listeners() {
  const auto deadline = clock::now() + limit;
  const base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return base::fail_errno("sock_diag socket");
  const timeval wait{.tv_sec = 0, .tv_usec = std::chrono::microseconds(limit).count()};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  listening found;
  for (const auto protocol : {net::protocol::tcp, net::protocol::udp})
    for (const int family : {AF_INET, AF_INET6}) {
      const auto done = dump(fd.get(), protocol, family, deadline, found.sockets);
      if (done) continue;
      if (done.error().code != std::errc::no_such_file_or_directory) return std::unexpected(done.error());
      if (std::ranges::find(found.unsupported, protocol) == found.unsupported.end())
        found.unsupported.push_back(protocol);
    }
  if (found.unsupported.size() == 2) return base::fail(std::errc::no_such_file_or_directory, "sock_diag");
  return found;
}

base::result<base::unique_fd> watch_closed(net::protocol protocol, port_range ignored_ports) {
  base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
  const auto bits = [](unsigned v4, unsigned v6) { return 1U << (v4 - 1) | 1U << (v6 - 1); };
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  self.nl_groups = protocol == net::protocol::tcp ? bits(SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY)
                                                  : bits(SKNLGRP_INET_UDP_DESTROY, SKNLGRP_INET6_UDP_DESTROY);
  if (!fd || !keep_listeners(fd.get(), ignored_ports) ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0)
    return base::fail_errno("sock_diag subscription");
  return fd;
}

void forget_closed(int watch) {
  std::array<std::byte, 8192> buffer;
  while (::recv(watch, buffer.data(), buffer.size(), 0) >= 0 || errno == ENOBUFS || errno == EINTR) continue;
}

}  // namespace netlink
