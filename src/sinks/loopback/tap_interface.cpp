#include "sinks/loopback/tap_interface.hpp"

#include <ifaddrs.h>

#include <cstring>
#include <memory>

#include "net/endpoint.hpp"

namespace loopback {
namespace {

std::optional<net::address> address_of(const ifaddrs& entry) {
  if (entry.ifa_addr == nullptr) return std::nullopt;
  const bool v4 = entry.ifa_addr->sa_family == AF_INET;
  if (!v4 && entry.ifa_addr->sa_family != AF_INET6) return std::nullopt;
  net::socket_address address;
  address.size = v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(address.get(), entry.ifa_addr, address.size);
  const auto at = net::from_sockaddr(address);
  return at ? std::optional(at->ip) : std::nullopt;
}

}  // namespace

base::result<machine_state> look_at_machine(const rule_options& options) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return base::fail_errno("getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  machine_state found;
  for (const auto* entry = first; entry != nullptr; entry = entry->ifa_next) {
    const auto at = address_of(*entry);
    if (!at) continue;
    // An alias is reported by its label, "eth0:1"; rules want the interface.
    const std::string_view label(entry->ifa_name), name = label.substr(0, label.find(':'));
    const bool tunnel = options.interface.empty();
    if (tunnel && *at == options.tap) found.tap_interface = name;
    const bool reached = tunnel ? *at == options.tap || *at == options.veth : name == options.interface && at->is_v4();
    if (reached) found.reached.push_back(*at);
  }
  return found;
}

}  // namespace loopback
