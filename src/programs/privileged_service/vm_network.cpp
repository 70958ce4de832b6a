#include "programs/privileged_service/vm_network.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <system_error>

#include "base/result.hpp"
#include "base/text.hpp"
#include "kernel/netlink/route.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"

namespace privileged_service {
namespace {

// Addresses for documentation (RFC 5737, RFC 3849): their route is the default route.
net::address elsewhere(bool v4) {
  constexpr std::array<std::uint8_t, 16> v6{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};  // 2001:db8::1
  return v4 ? net::address::v4(192, 0, 2, 1) : net::address::v6(v6.data());
}

}  // namespace

base::result<vm_network> vm_network::parse(std::string_view text) {
  vm_network made;
  if (text.empty()) return made;
  for (const auto part : base::split(text, ',')) {
    const auto one = net::cidr::parse(base::trim(part));
    if (!one) return base::fail("not a list of networks like 172.16.0.0/12");
    made.list_.push_back(*one);
  }
  return made;
}

std::string vm_network::refuse(const net::address& ip) const {
  const auto way = netlink::route_to(ip);
  if (!way) return "cannot be looked up: " + way.error().message();
  if (way->kind == netlink::route_kind::local) return "is this machine itself";
  if (way->kind != netlink::route_kind::unicast) return "is no address of one machine";
  if (!list_.empty()) {
    const bool listed = std::ranges::any_of(list_, [&](const net::cidr& n) { return n.contains(ip); });
    return listed ? "" : "is not in -vmNetworks";
  }
  if (way->by_gateway) return "is not on a network of this machine";
  const auto out = netlink::route_to(elsewhere(ip.is_v4()));
  if (!out && out.error().code != std::errc::network_unreachable)
    return "cannot be compared with the default route: " + out.error().message();
  const bool same = out && out->kind == netlink::route_kind::unicast && out->interface == way->interface;
  return same ? "is on the network of the default route, where third machines are (see -vmNetworks)" : "";
}

}  // namespace privileged_service
