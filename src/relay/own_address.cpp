#include "relay/own_address.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.hpp"

namespace relay {
namespace {

struct route_request {
  nlmsghdr header;
  rtmsg route;
  rtattr destination;
  std::array<std::uint8_t, 16> ip;
};
struct route_answer {
  nlmsghdr header;
  union {
    rtmsg route;
    int failure;  // NLMSG_ERROR: -errno
  };
  std::array<std::byte, 1024> rest;
};

// No route, or one that rejects packets: the address is not this machine's.
bool says_no_way(int error_number) {
  return error_number == ENETUNREACH || error_number == EHOSTUNREACH || error_number == EACCES ||
         error_number == EINVAL;
}

base::result<bool> is_local_route(const route_answer& answer, ssize_t size) {
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof answer.failure)))
    return base::fail(std::errc::protocol_error, "read a route");
  if (answer.header.nlmsg_type == NLMSG_ERROR) {
    if (says_no_way(-answer.failure)) return false;
    return base::fail(std::error_code(-answer.failure, std::system_category()), "read a route");
  }
  if (answer.header.nlmsg_type != RTM_NEWROUTE || size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof answer.route)))
    return base::fail(std::errc::protocol_error, "read a route");
  return answer.route.rtm_type == RTN_LOCAL;
}

}  // namespace

base::result<bool> is_own(const net::address& ip) {
  const std::uint16_t size = ip.is_v6() ? 16 : 4;
  route_request ask{};
  ask.header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof ask.route) + RTA_LENGTH(size));
  ask.header.nlmsg_type = RTM_GETROUTE;
  ask.header.nlmsg_flags = NLM_F_REQUEST;
  ask.route.rtm_family = ip.is_v6() ? AF_INET6 : AF_INET;
  ask.route.rtm_dst_len = static_cast<std::uint8_t>(8 * size);
  ask.destination = {static_cast<std::uint16_t>(RTA_LENGTH(size)), RTA_DST};
  std::memcpy(ask.ip.data(), ip.data(), size);
  const base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd || ::send(fd.get(), &ask, ask.header.nlmsg_len, 0) < 0) return base::fail_errno("ask for a route");
  route_answer answer{};  // complete when send() returns
  const auto got = ::recv(fd.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (got < 0) return base::fail_errno("read a route");
  return is_local_route(answer, got);
}

}  // namespace relay
