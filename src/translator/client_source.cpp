#include "translator/client_source.hpp"

#include <algorithm>

#include "net/address.hpp"
#include "net/cidr.hpp"
#include "net/endpoint.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/flow_id.hpp"

namespace translator {

bool client_source::passes(const net::address& ip) const {
  if (kind_ == source_address::gateway || !ip.is_v4() || ip.is_loopback() || ip.is_unspecified()) return false;
  const auto number = netstack::ipv4::from_net(ip);
  if (number.is_link_local() || number.is_multicast() || number.is_broadcast()) return false;
  return std::ranges::none_of(local_, [&](const net::cidr& one) { return one.contains(ip); });
}

netstack::endpoint client_source::of(const net::endpoint& client) const {
  if (!passes(client.ip)) return {gateway_, 0};
  return {netstack::ipv4::from_net(client.ip), client.port};
}

}  // namespace translator
