#include "relay/own_address.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
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
  rtmsg route;
  std::array<std::byte, 1024> rest;
};

}  // namespace

base::result<bool> ask_is_own(const net::address& ip) {
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
  route_answer answer{};  // is there when send() returns
  const auto got = ::recv(fd.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (got < 0) return base::fail_errno("read a route");
  return got >= static_cast<ssize_t>(NLMSG_LENGTH(sizeof answer.route)) && answer.header.nlmsg_type == RTM_NEWROUTE &&
         answer.route.rtm_type == RTN_LOCAL;
}

bool is_own(const net::address& ip) { return ask_is_own(ip).value_or(false); }

}  // namespace relay
