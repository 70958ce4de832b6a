#include "programs/host_switch/api_device.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"

namespace host_switch {
namespace {

bool carries(const ifaddrs& entry, const net::address& ip) {
  const int family = ip.is_v6() ? AF_INET6 : AF_INET;
  if (entry.ifa_addr == nullptr || entry.ifa_addr->sa_family != family) return false;
  net::socket_address at;
  at.size = ip.is_v6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  std::memcpy(at.get(), entry.ifa_addr, at.size);
  const auto found = net::from_sockaddr(at);
  return found && found->ip == ip;
}

}  // namespace

base::result<std::optional<api_device>> find_device(const net::address& api) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return base::fail_errno("getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const auto* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (!carries(*entry, api) || (entry->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const std::string label = entry->ifa_name;
    const auto name = label.substr(0, label.find(':'));  // getifaddrs reports the label of an alias, "eth0:1"
    return std::optional(api_device{name, ::if_nametoindex(name.c_str())});
  }
  return std::optional<api_device>();
}

}  // namespace host_switch
