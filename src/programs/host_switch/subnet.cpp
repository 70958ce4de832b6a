#include "programs/host_switch/subnet.hpp"

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "net/cidr.hpp"

namespace host_switch {

base::result<subnet> subnet::parse(std::string_view text) {
  const auto network = net::cidr::parse(text);
  if (!network || !network->network().is_v4() || network->prefix_length() == 0 || network->prefix_length() > 30)
    return base::fail("not an IPv4 subnet like 192.168.127.0/24");
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
