// nft_codec: the messages of nfnetlink's subsystem nftables by which the rules of one chain are asked for, and the
// answer. Understands what iptables-nft, nft and the CNI plugins write for DNAT: comparisons of header fields, compat
// matches and targets of x_tables, and nat expressions. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "netfilter/nat_rule.hpp"

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
  std::uint64_t fingerprint = 0;  // differs when any rule differs; counters do not count
  bool done = false;              // nothing more comes
  bool interrupted = false;       // the rules changed meanwhile: some may be missing
  int error = 0;                  // an errno: the kernel refused
};
// Adds one datagram of the answer. Other messages, and what is cut or malformed, are passed over.
void parse_rules(std::span<const std::byte> datagram, family which, rules_dump& into);

}  // namespace netfilter
