// nat_rule: what one rule of a nat table says, as far as sending a port elsewhere goes; the same value for all the
// forms in which the kernel keeps rules (xt_codec, nft_codec, legacy_codec).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/endpoint.hpp"
#include "net/protocol.hpp"

namespace netfilter {

enum class family : std::uint8_t { ipv4, ipv6 };

// What the comment of every rule of this program begins with; a colon and the rule's purpose follow.
inline constexpr std::string_view own_tag = "rancher-desktop-guestagent";

// Where the nftables backend of CNI's portmap plugin publishes ports of every address of the machine.
inline constexpr std::string_view portmap_table = "cni_hostport";
inline constexpr std::string_view portmap_everywhere = "hostports";

struct nat_rule {
  std::optional<net::protocol> protocol{};    // empty: any, or one that has no name here
  std::optional<net::address> destination{};  // empty: every address
  std::uint16_t port = 0;                     // of the destination; 0: every port
  std::optional<net::endpoint> target{};      // of a DNAT rule; port 0: the packet's port stays
  std::string jump{};                         // the chain that it jumps to, or goes on in
  std::string comment{};
  // The first thing that the rule asks for and that is not in the fields above ("a source address"): it takes fewer
  // packets than they say, or other ones. Empty: there is none.
  std::string unclear{};

  void doubt(std::string_view why) {
    if (unclear.empty()) unclear = why;
  }
  bool operator==(const nat_rule&) const = default;
};

struct nat_chain {
  std::string name;
  std::vector<nat_rule> rules;

  bool operator==(const nat_chain&) const = default;
};

}  // namespace netfilter
