#include "relay/sockets.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <system_error>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "os/connect.hpp"
#include "relay/privileged_port.hpp"

namespace relay {
namespace {

constexpr int backlog = 4096;
constexpr int flow_buffer_bytes = 1 << 20;
constexpr int idle_seconds = 120;  // before the kernel probes a silent peer
constexpr int probe_seconds = 30;

void set(int fd, int level, int name, int value) {
  static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value));
}

int kind_of(net::protocol protocol) {
  return (protocol == net::protocol::udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
}

// No delay by Nagle's algorithm; keep-alive notices a peer that vanished, such as a VM that was switched off.
void prepare_tcp(int fd) {
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_SOCKET, SO_OOBINLINE, 1);  // otherwise urgent bytes get lost
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, probe_seconds);
}

// The FORCE options exceed the system's limits and need CAP_NET_ADMIN; the others respect the limits.
void set_buffers(int fd, int bytes) {
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0) set(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

// UDP replies must leave from the address that the client wrote to, so the kernel reports it.
void prepare_udp(int fd, bool v6, int buffer_bytes) {
  set_buffers(fd, buffer_bytes);
  if (v6)
    set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  else
    set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

// connect() to a target on this machine says EINPROGRESS though the target has answered already.
bool has_peer(int fd) {
  net::socket_address peer;
  return ::getpeername(fd, peer.get(), &peer.size) == 0;
}

template <std::size_t Size>
base::result<> attach_filter(int fd, std::array<sock_filter, Size> code) {
  const sock_fprog program{Size, code.data()};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) return base::fail_errno("");
  return {};
}

// The filter sees a segment or datagram from its own header on; SKF_NET_OFF finds the IP header. Accepted TCP sockets
// inherit it.
base::result<> accept_only_from(int fd, const client_filter& clients) {
  const auto mask = clients.prefix_length == 0 ? 0U : ~0U << (32 - std::min(clients.prefix_length, 32U));
  std::uint32_t network = 0;
  std::memcpy(&network, clients.network.data(), sizeof network);
  constexpr auto source = static_cast<std::uint32_t>(SKF_NET_OFF + 12);
  return attach_filter<5>(fd, {{
                                  {BPF_LD | BPF_W | BPF_ABS, 0, 0, source},
                                  {BPF_ALU | BPF_AND | BPF_K, 0, 0, mask},
                                  {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, ntohl(network) & mask},
                                  {BPF_RET | BPF_K, 0, 0, 0xffff'ffff},
                                  {BPF_RET | BPF_K, 0, 0, 0},
                              }});
}

// Of a loopback interface's broadcasts and multicasts the kernel says that they are for this host, like all packets
// there: so the destination is looked at, too.
base::result<> take_unicast_alone(int fd) {
  constexpr auto packet_type = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE);
  constexpr auto family = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL);
  constexpr auto destination = static_cast<std::uint32_t>(SKF_NET_OFF + 16);
  constexpr auto destination_v6 = static_cast<std::uint32_t>(SKF_NET_OFF + 24);
  constexpr std::uint32_t loopback_broadcast = 0x7fff'ffff, first_multicast = 0xe000'0000, multicast_v6 = 0xff;
  return attach_filter<11>(fd, {{
                                   {BPF_LD | BPF_W | BPF_ABS, 0, 0, packet_type},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 0, 8, PACKET_HOST},
                                   {BPF_LD | BPF_W | BPF_ABS, 0, 0, family},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, ETH_P_IP},
                                   {BPF_LD | BPF_B | BPF_ABS, 0, 0, destination_v6},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 4, 3, multicast_v6},
                                   {BPF_LD | BPF_W | BPF_ABS, 0, 0, destination},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, loopback_broadcast},
                                   {BPF_JMP | BPF_JGE | BPF_K, 1, 0, first_multicast},
                                   {BPF_RET | BPF_K, 0, 0, 0xffff'ffff},
                                   {BPF_RET | BPF_K, 0, 0, 0},
                               }});
}

base::result<> limit_intake(int fd, intake takes) {
  switch (takes) {
    case intake::all: break;
    case intake::unicast: return take_unicast_alone(fd);
    case intake::nothing: return attach_filter<1>(fd, {{{BPF_RET | BPF_K, 0, 0, 0}}});
  }
  return {};
}

// Before bind(): packets that arrive in between could be from anywhere.
base::result<> restrict_packets(int fd, const listener_spec& spec) {
  const auto& device = spec.clients.device;
  if (!device.empty() &&
      ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device.data(), static_cast<socklen_t>(device.size())) != 0)
    return base::fail_errno("");
  if (spec.clients.prefix_length > 0) return accept_only_from(fd, spec.clients);
  return limit_intake(fd, spec.takes);
}

// The right that bind() lacked; empty if it failed for another reason.
const char* missing_right(const net::endpoint& at) {
  return errno == EACCES && at.port < 1024 ? "ports below 1024 need CAP_NET_BIND_SERVICE" : "";
}

base::result<base::unique_fd> open_on(const listener_spec& spec, const net::endpoint& at, bool both_families) {
  const bool v6 = at.ip.is_v6();
  base::unique_fd fd(::socket(v6 ? AF_INET6 : AF_INET, kind_of(spec.protocol), 0));
  if (!fd) return base::fail_errno("");
  if (v6) set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, both_families ? 0 : 1);
  if (spec.reuse_port) set(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (spec.protocol == net::protocol::tcp) {
    set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    prepare_tcp(fd.get());
  } else {
    prepare_udp(fd.get(), v6, spec.udp_buffer_bytes);
  }
  if (auto restricted = restrict_packets(fd.get(), spec); !restricted) return std::unexpected(restricted.error());
  const auto address = net::to_sockaddr(at);
  if (::bind(fd.get(), address.get(), address.size) != 0) return base::fail_errno(missing_right(at));
  if (spec.protocol == net::protocol::tcp && ::listen(fd.get(), backlog) != 0) return base::fail_errno("");
  return fd;
}

}  // namespace

base::result<base::unique_fd> open_listener(const listener_spec& spec) {
  if (!spec.dual_stack || !spec.listen.ip.is_unspecified()) return open_on(spec, spec.listen, false);
  auto both = open_on(spec, {net::address::any_v6(), spec.listen.port}, true);
  const bool no_ipv6 = !both && (both.error().code == std::errc::address_family_not_supported ||
                                 both.error().code == std::errc::address_not_available);
  return no_ipv6 ? open_on(spec, {net::address::any_v4(), spec.listen.port}, false) : std::move(both);
}

base::result<base::unique_fd> open_beside(const base::unique_fd& first, const listener_spec& spec) {
  const int one = 1;
  if (::setsockopt(first.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) return base::fail_errno("");
  auto another = spec;
  another.reuse_port = true;
  another.takes = intake::unicast;
  return open_listener(another);
}

void open_intake(int fd) { set(fd, SOL_SOCKET, SO_DETACH_FILTER, 0); }

base::result<dialled> dial(const net::socket_address& target) {
  const int family = target.storage.ss_family;
  base::unique_fd fd(::socket(family, kind_of(net::protocol::tcp), 0));
  if (!fd) return base::fail_errno("");
  if (family == AF_INET || family == AF_INET6) prepare_tcp(fd.get());
  if (family == AF_VSOCK) bind_privileged_port(fd.get());
  if (::connect(fd.get(), target.get(), target.size) != 0 && errno != EINPROGRESS) return base::fail_errno("");
  const bool connected = has_peer(fd.get());
  if (connected && os::reset_if_self_connected(fd.get())) return base::fail(std::errc::connection_refused, "");
  return dialled{std::move(fd), connected};
}

base::result<base::unique_fd> open_flow(const net::endpoint& target) {
  base::unique_fd fd(::socket(target.ip.is_v6() ? AF_INET6 : AF_INET, kind_of(net::protocol::udp), 0));
  if (!fd) return base::fail_errno("");
  set_buffers(fd.get(), flow_buffer_bytes);
  const auto address = net::to_sockaddr(target);
  if (::connect(fd.get(), address.get(), address.size) != 0) return base::fail_errno("");
  if (os::reset_if_self_connected(fd.get())) return base::fail(std::errc::connection_refused, "");
  return fd;
}

int pending_error(int fd) {
  int error_number = 0;
  socklen_t size = sizeof error_number;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size);
  return error_number;
}

bool is_inet(int fd) {
  int family = 0;
  socklen_t size = sizeof family;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && (family == AF_INET || family == AF_INET6);
}

void reset_on_close(int fd) {
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);  // sends what still waits to be merged with the end
  const linger now{1, 0};
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
}

bool is_abandoned(int fd) {
  return ::send(fd, nullptr, 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != EINTR;
}

bool out_of_resources(int error_number) {
  return error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS || error_number == ENOMEM;
}

}  // namespace relay
