// nat_rule: protocol, port, address and target of one rule in a nat table. One value for all the forms in which the
// kernel keeps rules (xt_codec, nft_expressions, legacy_codec).
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

// The comment of every rule of this program begins with it; a colon and the rule's purpose follow.
inline constexpr std::string_view own_tag = "rancher-desktop-guestagent";

// The chain in which the nftables backend of CNI's portmap plugin publishes ports at every address of the machine.
inline constexpr std::string_view portmap_table = "cni_hostport";
inline constexpr std::string_view portmap_everywhere = "hostports";

struct nat_rule {
  std::optional<net::protocol> protocol{};    // empty: any, or an unknown one
  std::optional<net::address> destination{};  // empty: every address
  std::uint16_t port = 0;                     // of the destination; 0: every port
  std::optional<net::endpoint> target{};      // of a DNAT rule; port 0: the packet's port stays
  std::string jump{};                         // the chain of a jump or goto
  std::string comment{};
  // The first condition that the fields above do not cover ("a source address"): the rule matches other packets than
  // they say. Empty: there is none.
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
