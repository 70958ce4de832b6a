// restore_line: what a line of iptables-restore's input says, as far as this program's own rules go: their chain, and
// matches of a device, addresses, one port, new connections and a comment, with a jump or a DNAT target. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "net/address.hpp"
#include "net/cidr.hpp"
#include "net/protocol.hpp"

namespace netfilter {

// Views into the line.
struct appended_rule {
  struct device {
    std::string_view name;
    bool negated = false;
  };
  struct destination {
    std::optional<net::address> ip{};  // empty: the address stays
    std::uint16_t port = 0;            // 0: the port stays
  };

  std::string_view chain{};
  std::optional<device> in{};
  std::optional<net::cidr> from{}, to{};    // IPv4
  std::optional<net::protocol> protocol{};  // TCP or UDP
  std::uint16_t port = 0;                   // of the packet's destination; 0: every port
  bool new_connections = false;             // TCP packets with SYN alone
  std::string_view comment{};               // as a match behind the others; empty: none
  std::optional<destination> dnat{};
  std::string_view jump{};  // unless there is a DNAT target
};

// ":CHAIN -": the chain that the line creates. Nothing for any other line.
[[nodiscard]] std::optional<std::string_view> read_new_chain(std::string_view line);

// "-A CHAIN …". Nothing for any other line, and for a rule that says more, or says it in another way.
[[nodiscard]] std::optional<appended_rule> read_appended_rule(std::string_view line);

}  // namespace netfilter
