// nft_codec: messages of nfnetlink's subsystem nftables. One request lists the rules of a chain, another removes single
// rules; the rules in an answer are decoded. Understands what iptables-nft, nft and the CNI plugins write for DNAT:
// comparisons of header fields, compat matches and targets of x_tables, and nat expressions. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netfilter/nat_rule.hpp"

namespace netfilter {

struct chain_address {
  family which = family::ipv4;
  std::string table;
  std::string chain;
};

// A dump that the kernel restricts to the chain; of one that is not there it is empty.
[[nodiscard]] std::vector<std::byte> rules_request(const chain_address& of);

struct rules_dump {
  std::vector<nat_rule> rules;
  std::vector<std::uint64_t> handles;  // of each rule, see rule_place
  std::uint64_t fingerprint = 0;       // differs when any rule differs; counters do not count
};
// Adds the rules in one datagram of the answer. Skips other messages, and those that are cut or malformed.
void parse_rules(std::span<const std::byte> datagram, family which, rules_dump& into);

// Where a rule is. The handle is the kernel's number for it: no other rule of the table gets it, whatever happens to
// the chain.
struct rule_place {
  std::string chain;
  std::uint64_t handle = 0;

  auto operator<=>(const rule_place&) const = default;
};

// One transaction that removes all of these rules from a table (IPv4), or none if one of them does not exist. The
// kernel acknowledges the last rule's message, which has the number of rules as its sequence number.
[[nodiscard]] std::vector<std::byte> removal_request(std::string_view table, std::span<const rule_place> rules);

}  // namespace netfilter
