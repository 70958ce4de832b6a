#include "kernel/netlink/route.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <span>
#include <system_error>

#include "base/result.hpp"
#include "kernel/netlink/attributes.hpp"
#include "kernel/netlink/socket.hpp"
#include "net/address.hpp"

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

base::result<socket::reply> ask_for_route(const net::address& ip) {
  const auto ask = request_for(ip);
  const auto bytes = std::as_bytes(std::span(&ask, 1)).first(ask.header.nlmsg_len);
  auto kernel = socket::open(NETLINK_ROUTE);
  if (!kernel) return std::unexpected(kernel.error());
  return kernel->get_reply({.request = {bytes.begin(), bytes.end()}, .name = "route"});
}

// The kernel's answer if there is no route, or if it is one that rejects packets: prohibit, blackhole.
bool has_no_route(const std::error_code& code) {
  return code == std::errc::network_unreachable || code == std::errc::host_unreachable ||
         code == std::errc::permission_denied || code == std::errc::invalid_argument;
}

}  // namespace

base::result<route> parse_route(std::span<const std::byte> datagram) {
  base::result<route> found = base::fail(std::errc::protocol_error, "route");
  for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
    const auto head = read<rtmsg>(body);
    if (header.nlmsg_type == RTM_NEWROUTE && head) found = route_in(*head, behind(body, sizeof(rtmsg)));
  });
  return found;
}

base::result<route> route_to(const net::address& ip) {
  const auto answer = ask_for_route(ip);
  if (!answer) return std::unexpected(answer.error());
  if (answer->refusal) return base::fail(answer->refusal, "route");
  return parse_route(answer->object);
}

base::result<bool> is_local_address(const net::address& ip) {
  const auto answer = ask_for_route(ip);
  if (!answer) return std::unexpected(answer.error());
  if (has_no_route(answer->refusal)) return false;
  if (answer->refusal) return base::fail(answer->refusal, "route");
  const auto found = parse_route(answer->object);
  if (!found) return std::unexpected(found.error());
  return found->kind == route_kind::local;
}

}  // namespace netlink
