#include "sinks/loopback/tap_interface.hpp"

#include <ifaddrs.h>

#include <cstring>
#include <memory>

#include "net/endpoint.hpp"
#include "netfilter/nft_reader.hpp"

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

// The same chain as the source of DNAT rules reads.
base::result<std::set<std::uint16_t>> ports_of_portmap() {
  std::set<std::uint16_t> ports;
  auto kernel = netfilter::nft_reader::open();
  if (!kernel) return ports;
  const auto rules = kernel->read(
      {netfilter::family::ipv4, std::string(netfilter::portmap_table), std::string(netfilter::portmap_everywhere)});
  if (!rules && rules.error().code == std::errc::resource_unavailable_try_again) return std::unexpected(rules.error());
  if (!rules) return ports;  // a kernel without nftables
  for (const auto& r : *rules)
    if (r.target && r.port != 0 && r.protocol == net::protocol::tcp) ports.insert(r.port);
  return ports;
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
  if (found.tap_interface.empty()) return found;
  auto elsewhere = ports_of_portmap();
  if (!elsewhere) return std::unexpected(elsewhere.error());
  found.sent_elsewhere = std::move(*elsewhere);
  return found;
}

}  // namespace loopback
