#include "protocols/port_mapping/message.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "net/address.hpp"

namespace port_mapping {
namespace {

// fe80::/10: unusable without the name of an interface.
bool is_link_local(const net::address& a) { return a.is_v6() && a.data()[0] == 0xfe && (a.data()[1] & 0xc0) == 0x80; }

}  // namespace

std::optional<net::address> target_of(const std::vector<connect_address>& addresses, bool v4) {
  const auto usable = [v4](const auto& a) {
    return a.ip.is_v4() == v4 && !a.ip.is_unspecified() && !is_link_local(a.ip);
  };
  const auto found = std::ranges::find_if(addresses, usable);
  return found == addresses.end() ? std::nullopt : std::optional(found->ip);
}

}  // namespace port_mapping
