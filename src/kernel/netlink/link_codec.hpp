// link_codec: the requests of rtnetlink about network interfaces ("links") and their addresses, and its notices. From
// rtnetlink(7), linux/if_link.h. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netlink/attributes.hpp"
#include "net/address.hpp"
#include "net/mac_address.hpp"

namespace netlink {

struct interface_state {
  unsigned index = 0;
  std::string name;
  net::mac_address mac;
  unsigned mtu = 0;  // bytes
  bool up = false;   // administratively
};

// The changes; an empty member leaves its value unchanged.
struct interface_change {
  std::optional<net::mac_address> mac{};
  std::optional<unsigned> mtu{};           // bytes
  std::optional<unsigned> queue_length{};  // packets
  std::optional<bool> up{};
};

using request = std::vector<std::byte>;
inline constexpr std::uint32_t request_sequence = 1;  // of each request here

// Names have at most 15 bytes.
[[nodiscard]] request get_interface_request(std::string_view name);
[[nodiscard]] request change_interface_request(unsigned index, const interface_change& change);
[[nodiscard]] request remove_interface_request(unsigned index);
// A pair of virtual Ethernet interfaces; the second one begins in the namespace of that descriptor.
[[nodiscard]] request add_veth_request(std::string_view name, std::string_view peer, int peer_namespace);
// IPv4. `prefix_length` in bits.
[[nodiscard]] request add_address_request(unsigned index, const net::address& ip, unsigned prefix_length);

// The interface of an answer or a notice; nullopt for another message.
[[nodiscard]] std::optional<interface_state> parse_interface(bytes_view datagram);

}  // namespace netlink
