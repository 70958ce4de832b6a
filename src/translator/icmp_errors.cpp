#include "translator/icmp_errors.hpp"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>

#include "netstack/bytes.hpp"
#include "netstack/stack/flow_id.hpp"
#include "relay/sockets.hpp"

namespace translator {
namespace {

constexpr int most_at_once = 256;

netstack::endpoint from_sockaddr(const sockaddr_in& a) { return {{ntohl(a.sin_addr.s_addr)}, ntohs(a.sin_port)}; }

std::optional<socket_error> parse(const msghdr& message) {
  for (auto* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(const_cast<msghdr*>(&message), c)) {
    if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR) continue;
    struct {
      sock_extended_err what;
      sockaddr_in offender;
    } got{};
    std::memcpy(&got, CMSG_DATA(c), sizeof got);
    socket_error made;
    made.error = static_cast<int>(got.what.ee_errno);
    made.mtu = static_cast<std::uint16_t>(got.what.ee_info);
    made.is_icmp = got.what.ee_origin == SO_EE_ORIGIN_ICMP;
    made.type = got.what.ee_type;
    made.code = got.what.ee_code;
    made.router = from_sockaddr(got.offender).address;
    return made;
  }
  return std::nullopt;
}

}  // namespace

bool ask_for_errors(int fd) {
  const int one = 1;
  return ::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof one) == 0;
}

void read_errors(int fd, const std::function<void(const socket_error&)>& take) {
  for (int i = 0; i < most_at_once; ++i) {
    std::array<std::uint8_t, 8> beginning{};
    alignas(cmsghdr) std::array<char, 256> control;
    sockaddr_in destination{};
    iovec vector{beginning.data(), beginning.size()};
    msghdr message{};
    message.msg_name = &destination;
    message.msg_namelen = sizeof destination;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto got = ::recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (got < 0) break;
    auto error = parse(message);
    if (!error) continue;
    error->destination = from_sockaddr(destination);
    error->id = netstack::load_16(beginning, 4);
    error->sequence = netstack::load_16(beginning, 6);
    take(*error);
  }
  static_cast<void>(relay::pending_error(fd));
}

}  // namespace translator
