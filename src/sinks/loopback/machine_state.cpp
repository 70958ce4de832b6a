#include "sinks/loopback/machine_state.hpp"

#include <net/if.h>

#include <algorithm>
#include <expected>
#include <string>

#include "base/result.hpp"
#include "kernel/netlink/interface_addresses.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"
#include "sinks/loopback/rule_options.hpp"

namespace loopback {
namespace {

// Such a network has no room for the peer's address beside ours, so the netmask is not the real one.
constexpr unsigned longest_prefix = 30;

unsigned likely_prefix(unsigned bits) { return bits == 0 || bits > longest_prefix ? usual_prefix : bits; }

bool is_reached(const netlink::interface_address& a, const rule_options& options) {
  if (!a.ip.is_v4()) return false;
  if (!options.interface.empty()) return a.interface == options.interface;
  return a.ip == options.tap || a.ip == options.veth;
}

}  // namespace

bool machine_state::has(const net::address& peer_address) const {
  return std::ranges::find(peers, peer_address, &peer_interface::address) != peers.end();
}

base::result<machine_state> read_machine(const rule_options& options) {
  const auto all = netlink::read_addresses();
  if (!all) return std::unexpected(all.error());
  machine_state found;
  for (const auto& a : *all)
    if (is_reached(a, options) && !found.has(a.ip))
      found.peers.push_back(
          {a.interface, a.ip, net::cidr(a.ip, likely_prefix(a.prefix_length)), ::if_nametoindex(a.interface.c_str())});
  std::ranges::sort(found.peers, {}, &peer_interface::address);
  return found;
}

}  // namespace loopback
