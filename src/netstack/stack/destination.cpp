#include "netstack/stack/destination.hpp"

#include <algorithm>

#include "netstack/ipv4.hpp"
#include "netstack/stack/settings.hpp"

namespace netstack {
namespace {

bool is_forbidden(ipv4::address a) {
  return a.value >> 24U == 0 || a.is_loopback() || a.is_link_local() || a.value >> 28U == 0xf;
}

bool is_subnet_broadcast(const stack_settings& settings, ipv4::address a) {
  return a == ipv4::from_net(settings.subnet.last()) || a == ipv4::from_net(settings.subnet.network());
}

}  // namespace

bool is_in_subnet(const stack_settings& settings, ipv4::address a) { return settings.subnet.contains(ipv4::to_net(a)); }

bool is_own_address(const stack_settings& settings, ipv4::address a) {
  if (a == settings.gateway()) return true;
  return is_in_subnet(settings, a) && std::ranges::find(settings.nat, a, &nat_entry::inside) != settings.nat.end();
}

destination look_up(const stack_settings& settings, ipv4::address asked) {
  const auto found = std::ranges::find(settings.nat, asked, &nat_entry::inside);
  if (found != settings.nat.end()) return {destination_kind::host, found->host, true};
  if (asked == settings.gateway()) return {destination_kind::gateway, asked};
  if (asked.is_broadcast() || asked.is_multicast() || is_subnet_broadcast(settings, asked))
    return {destination_kind::group, asked};
  if (is_in_subnet(settings, asked)) return {destination_kind::neighbour, asked};
  return {is_forbidden(asked) ? destination_kind::forbidden : destination_kind::host, asked};
}

}  // namespace netstack
