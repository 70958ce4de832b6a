#include "sinks/loopback/machine_state.hpp"

#include <ifaddrs.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"
#include "net/endpoint.hpp"
#include "sinks/loopback/rule_options.hpp"

namespace loopback {
namespace {

// Such a network has no room for the peer's address beside ours, so the netmask is not the real one.
constexpr unsigned longest_prefix = 30;
constexpr unsigned usual_prefix = 24;

std::optional<net::address> to_address(const sockaddr* from) {
  if (from == nullptr || from->sa_family != AF_INET) return std::nullopt;
  net::socket_address address;
  address.size = sizeof(sockaddr_in);
  std::memcpy(address.get(), from, address.size);
  const auto at = net::from_sockaddr(address);
  return at ? std::optional(at->ip) : std::nullopt;
}

unsigned prefix_length(const sockaddr* netmask) {
  const auto mask = to_address(netmask);
  if (!mask) return usual_prefix;
  unsigned bits = 0;
  for (int i = 0; i < 4; ++i) bits += static_cast<unsigned>(std::popcount(mask->data()[i]));
  return bits == 0 || bits > longest_prefix ? usual_prefix : bits;
}

// An alias is reported by its label, "eth0:1"; rules want the interface.
std::string device_name(std::string_view label) { return std::string(label.substr(0, label.find(':'))); }

}  // namespace

bool machine_state::has(const net::address& peer_address) const {
  return std::ranges::find(peers, peer_address, &peer_interface::address) != peers.end();
}

net::address network_of(const net::address& ip, unsigned prefix_length) {
  return net::cidr(ip, prefix_length).network();
}

net::address first_address(const net::address& network) {
  const auto* bytes = network.data();
  return net::address::v4(bytes[0], bytes[1], bytes[2], static_cast<std::uint8_t>(bytes[3] + 1));
}

base::result<machine_state> read_machine(const rule_options& options) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return base::fail_errno("getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  machine_state found;
  for (const auto* entry = first; entry != nullptr; entry = entry->ifa_next) {
    const auto at = to_address(entry->ifa_addr);
    if (!at) continue;
    auto device = device_name(entry->ifa_name);
    const bool reached =
        options.interface.empty() ? *at == options.tap || *at == options.veth : device == options.interface;
    if (!reached || found.has(*at)) continue;
    const auto bits = prefix_length(entry->ifa_netmask);
    found.peers.push_back({std::move(device), *at, network_of(*at, bits), bits});
  }
  std::ranges::sort(found.peers, {}, &peer_interface::address);
  return found;
}

}  // namespace loopback
