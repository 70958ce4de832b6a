#include "programs/host_switch/api_device.hpp"

#include <net/if.h>

#include <cstring>
#include <expected>
#include <optional>

#include "base/result.hpp"
#include "kernel/netlink/interface_addresses.hpp"
#include "net/address.hpp"

namespace host_switch {

base::result<std::optional<api_device>> find_device(const net::address& api) {
  const auto all = netlink::read_addresses();
  if (!all) return std::unexpected(all.error());
  for (const auto& a : *all)
    if (a.ip == api && !a.loopback)
      return std::optional(api_device{a.interface, ::if_nametoindex(a.interface.c_str())});
  return std::optional<api_device>();
}

}  // namespace host_switch
