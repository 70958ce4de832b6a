// dnat_rule: the port, address and target of a DNAT rule, from its words. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/netfilter/iptables_save.hpp"
#include "net/address.hpp"
#include "net/protocol.hpp"

namespace netfilter {

// "Packets of this protocol for this port, and for this address if there is one, go to the target."
struct dnat {
  net::protocol protocol = net::protocol::tcp;
  std::optional<net::address> destination;  // empty: any
  std::uint16_t port = 0;
  std::string target;  // "172.17.0.2:80", as the rule has it
  std::uint16_t target_port = 0;

  auto operator<=>(const dnat&) const = default;
};

// Nothing for any other rule, and for one that does not match exactly one protocol, one port and one (or any) address.
[[nodiscard]] std::optional<dnat> read_dnat(const rule_spec& r);

[[nodiscard]] std::string_view comment_of(const rule_spec& r);  // empty: none
[[nodiscard]] std::string_view jump_of(const rule_spec& r);     // the target, "DNAT", "DOCKER"; empty: none

// The same rule for any destination address, in another chain, with this comment instead of its own. For TCP it matches
// new connections only: a packet of a connection that is older than connection tracking must not begin a flow.
[[nodiscard]] rule_spec copied(const rule_spec& r, const std::string& chain, const std::string& comment);

// The listing of `iptables --syn`.
inline constexpr std::array<std::string_view, 3> new_connections{"--tcp-flags", "FIN,SYN,RST,ACK", "SYN"};

}  // namespace netfilter
