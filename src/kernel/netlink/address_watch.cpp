#include "kernel/netlink/address_watch.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <bit>
#include <cstring>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netlink/change_watch.hpp"
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

// An alias is reported by its label, "eth0:1".
bool is_of(const char* label, const std::string& interface) {
  const std::string_view name(label);
  return name.substr(0, name.find(':')) == interface;
}

}  // namespace

base::result<std::vector<interface_address>> addresses_of(const std::string& interface) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return base::fail_errno("getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  std::vector<interface_address> found;
  for (const auto* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (!is_of(entry->ifa_name, interface)) continue;
    const auto ip = read_address(entry->ifa_addr), mask = read_address(entry->ifa_netmask);
    if (ip) found.push_back({*ip, mask ? count_bits(*mask, ip->is_v4()) : 0});
  }
  return found;
}

unsigned interface_of(const net::address& ip) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return 0;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const auto* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (read_address(entry->ifa_addr) != ip) continue;
    const std::string_view label(entry->ifa_name);
    return ::if_nametoindex(std::string(label.substr(0, label.find(':'))).c_str());
  }
  return 0;
}

base::result<address_watch> address_watch::open(const async::executor& where) {
  auto made = change_watch::open(where, {.rules = false, .ipv6 = true});
  if (!made) return std::unexpected(made.error());
  return address_watch(std::move(*made));
}

}  // namespace netlink
