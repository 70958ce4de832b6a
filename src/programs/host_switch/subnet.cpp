#include "programs/host_switch/subnet.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"

namespace host_switch {
namespace {

// A network that it overlaps and whose addresses no machine of a private network has: 0.0.0.0/8, loopback, link-local,
// or multicast and above.
std::optional<net::cidr> reserved_part(const net::cidr& network) {
  const auto overlap = [&](const net::cidr& other) {
    return network.contains(other.network()) || other.contains(network.network());
  };
  for (const auto& one :
       {net::cidr(net::address::v4(0, 0, 0, 0), 8), net::cidr(net::address::v4(127, 0, 0, 0), 8),
        net::cidr(net::address::v4(169, 254, 0, 0), 16), net::cidr(net::address::v4(224, 0, 0, 0), 3)})
    if (overlap(one)) return one;
  return std::nullopt;
}

}  // namespace

base::result<subnet> subnet::parse(std::string_view text) {
  const auto network = net::cidr::parse(text);
  if (!network || !network->network().is_v4() || network->prefix_length() == 0 || network->prefix_length() > 30)
    return base::fail("not an IPv4 subnet like 192.168.127.0/24");
  if (const auto part = reserved_part(*network))
    return base::fail("no machine can have the addresses of " + part->to_string());
  return subnet(*network);
}

bool subnet::is_host_alias(const net::address& ip) const {
  constexpr std::uint32_t number = 254;
  return contains(ip) && network_.at(number) == ip;
}

bool subnet::contains(const net::address& ip) const {
  return network_.contains(ip) && ip != network_.network() && ip != network_.last();
}

}  // namespace host_switch
