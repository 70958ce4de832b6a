#include "kernel/netlink/route.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.hpp"
#include "kernel/netlink/attributes.hpp"

namespace netlink {
namespace {

struct route_request {
  nlmsghdr header;
  rtmsg route;
  rtattr destination;
  std::array<std::uint8_t, 16> ip;
};

route_request request_for(const net::address& ip) {
  const std::uint16_t size = ip.is_v6() ? 16 : 4;
  route_request ask{};
  ask.header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof ask.route) + RTA_LENGTH(size));
  ask.header.nlmsg_type = RTM_GETROUTE;
  ask.header.nlmsg_flags = NLM_F_REQUEST;
  ask.route.rtm_family = ip.is_v6() ? AF_INET6 : AF_INET;
  ask.route.rtm_dst_len = static_cast<std::uint8_t>(8 * size);
  ask.destination = {static_cast<std::uint16_t>(RTA_LENGTH(size)), RTA_DST};
  std::memcpy(ask.ip.data(), ip.data(), size);
  return ask;
}

route route_in(const rtmsg& head, bytes_view attributes) {
  route found;
  if (head.rtm_type == RTN_LOCAL) found.kind = route_kind::local;
  if (head.rtm_type == RTN_UNICAST) found.kind = route_kind::unicast;
  for_each_attribute(attributes, [&found](int type, bytes_view value, bytes_view) {
    if (type == RTA_GATEWAY || type == RTA_VIA) found.by_gateway = true;
    if (type == RTA_OIF) found.interface = read<std::uint32_t>(value).value_or(0);
  });
  return found;
}

}  // namespace

base::result<route> parse_route(std::span<const std::byte> datagram) {
  base::result<route> found = base::fail(std::errc::protocol_error, "route");
  for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
    const auto head = read<rtmsg>(body);
    if (header.nlmsg_type == RTM_NEWROUTE && head) found = route_in(*head, behind(body, sizeof(rtmsg)));
    if (header.nlmsg_type != NLMSG_ERROR) return;
    const auto code = read<std::int32_t>(body).value_or(-EPROTO);
    found = base::fail(std::error_code(code < 0 && code > -4096 ? -code : EPROTO, std::system_category()), "route");
  });
  return found;
}

base::result<route> route_to(const net::address& ip) {
  const auto ask = request_for(ip);
  const base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd || ::send(fd.get(), &ask, ask.header.nlmsg_len, 0) < 0) return base::fail_errno("route");
  std::array<std::byte, 4096> answer;
  const auto got = ::recv(fd.get(), answer.data(), answer.size(), MSG_DONTWAIT);
  if (got < 0) return base::fail_errno("route");
  return parse_route(std::span(answer).first(static_cast<std::size_t>(got)));
}

}  // namespace netlink
