#include "link/tap_values.hpp"

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "base/text.hpp"
#include "net/cidr.hpp"
#include "net/mac_address.hpp"

namespace links {

base::result<net::mac_address> tap_mac(std::string_view text) {
  const auto mac = net::mac_address::parse(text);
  if (!mac || mac->is_group() || *mac == net::mac_address{}) return base::fail("not a MAC address of one interface");
  return *mac;
}

base::result<std::string> tap_subnet(std::string_view text) {
  const auto network = net::cidr::parse(text);
  if (!network || !network->network().is_v4()) return base::fail("not an IPv4 subnet like 192.168.127.0/24");
  return network->to_string();
}

base::result<std::uint16_t> tap_mtu(std::string_view text) {
  const auto bytes = base::parse_number<std::uint16_t>(text);
  constexpr std::uint16_t least = 576, most = 65'521;
  if (!bytes || *bytes < least || *bytes > most) return base::fail("not a size from 576 to 65521");
  return *bytes;
}

base::result<std::int64_t> tap_queue_length(std::string_view text) {
  const auto packets = base::parse_number<std::int64_t>(text);
  constexpr std::int64_t most = 100'000;
  if (!packets || *packets < 1 || *packets > most) return base::fail("not a number from 1 to 100000");
  return *packets;
}

}  // namespace links
