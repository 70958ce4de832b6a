#include "programs/privileged_service/vm_network.hpp"

#include <algorithm>
#include <cstdint>

#include "base/text.hpp"
#include "kernel/netlink/route.hpp"

namespace privileged_service {
namespace {

// Addresses for documentation (RFC 5737, RFC 3849): the way there is the way to all networks without a route of their
// own.
net::address elsewhere(bool v4) {
  return v4 ? net::address::v4(192, 0, 2, 1) : net::address::parse("2001:db8::1").value();
}

base::result<network> parse_one(std::string_view text) {
  const auto slash = text.find('/');
  const auto ip = net::address::parse(text.substr(0, slash));
  const auto bits =
      slash == std::string_view::npos ? std::nullopt : base::parse_number<unsigned>(text.substr(slash + 1));
  if (!ip || !bits || *bits > (ip->is_v4() ? 32U : 128U))
    return base::fail("not a list of networks like 172.16.0.0/12");
  return network{*ip, *bits};
}

}  // namespace

bool network::contains(const net::address& other) const {
  if (ip.is_v4() != other.is_v4()) return false;
  const unsigned whole = prefix_length / 8, rest = prefix_length % 8;
  if (!std::equal(ip.data(), ip.data() + whole, other.data())) return false;
  const auto mask = static_cast<std::uint8_t>(0xff00U >> rest);
  return rest == 0 || (ip.data()[whole] & mask) == (other.data()[whole] & mask);
}

base::result<vm_network> vm_network::parse(std::string_view text) {
  vm_network made;
  if (text.empty()) return made;
  for (const auto part : base::split(text, ',')) {
    const auto one = parse_one(base::trim(part));
    if (!one) return std::unexpected(one.error());
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
    const bool listed = std::ranges::any_of(list_, [&](const network& n) { return n.contains(ip); });
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
