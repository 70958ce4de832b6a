#include "kernel/netlink/interface_addresses.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"

namespace netlink {
namespace {

std::optional<net::address> read_address(const sockaddr* from) {
  if (from == nullptr || (from->sa_family != AF_INET && from->sa_family != AF_INET6)) return std::nullopt;
  net::socket_address copy;
  copy.size = from->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(copy.get(), from, copy.size);
  const auto at = net::from_sockaddr(copy);
  return at ? std::optional(at->ip) : std::nullopt;
}

unsigned count_bits(const net::address& mask, bool v4) {
  unsigned bits = 0;
  for (std::size_t i = 0; i < (v4 ? 4U : 16U); ++i) bits += static_cast<unsigned>(std::popcount(mask.data()[i]));
  return bits;
}

std::string without_alias(std::string_view label) { return std::string(label.substr(0, label.find(':'))); }

}  // namespace

base::result<std::vector<interface_address>> read_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return base::fail_errno("getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  std::vector<interface_address> found;
  for (const auto* entry = first; entry != nullptr; entry = entry->ifa_next) {
    const auto ip = read_address(entry->ifa_addr), mask = read_address(entry->ifa_netmask);
    if (!ip) continue;
    const bool loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
    found.push_back({without_alias(entry->ifa_name), *ip, mask ? count_bits(*mask, ip->is_v4()) : 0, loopback});
  }
  return found;
}

base::result<std::vector<interface_address>> addresses_of(const std::string& interface) {
  auto all = read_addresses();
  if (all) std::erase_if(*all, [&](const auto& a) { return a.interface != interface; });
  return all;
}

unsigned interface_of(const net::address& ip) {
  const auto all = read_addresses();
  if (!all) return 0;
  const auto at = std::ranges::find(*all, ip, &interface_address::ip);
  return at == all->end() ? 0 : ::if_nametoindex(at->interface.c_str());
}

}  // namespace netlink
