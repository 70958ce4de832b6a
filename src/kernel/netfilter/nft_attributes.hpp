// Attributes of nfnetlink's subsystem nftables, read from a nest. Numbers are in network order. Pure.
#pragma once

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netlink/attributes.hpp"

namespace netfilter {

[[nodiscard]] inline std::uint8_t protocol_number(family which) {
  return which == family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}

// The attributes of one nest by type, the last one of each. Types above 15 do not occur in the nests that are read
// here.
class nft_attributes {
 public:
  explicit nft_attributes(netlink::bytes_view nest) {
    netlink::for_each_attribute(nest, [this](int type, netlink::bytes_view value, netlink::bytes_view) {
      if (static_cast<std::size_t>(type) < all_.size()) all_[static_cast<std::size_t>(type)] = value;
    });
  }
  [[nodiscard]] bool contains(int type) const { return find(type).data() != nullptr; }
  // Empty: absent.
  [[nodiscard]] netlink::bytes_view find(int type) const { return all_.at(static_cast<std::size_t>(type)); }
  // 0: absent or too short.
  [[nodiscard]] std::uint32_t number(int type) const {
    return ntohl(netlink::read<std::uint32_t>(find(type)).value_or(0));
  }
  [[nodiscard]] nft_attributes nest(int type) const { return nft_attributes(find(type)); }
  // The plain value in a nest of data.
  [[nodiscard]] netlink::bytes_view value(int type) const { return nest(type).find(NFTA_DATA_VALUE); }

 private:
  std::array<netlink::bytes_view, 16> all_{};
};

}  // namespace netfilter
