// nft_dump_codec: the request for the rules of one nftables chain, and the kernel's dump of them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernel/netfilter/nat_rule.hpp"

namespace netfilter {

struct chain_address {
  family which = family::ipv4;
  std::string table;
  std::string chain;
};

// A dump that the kernel restricts to the chain; empty if the chain does not exist.
[[nodiscard]] std::vector<std::byte> rules_request(const chain_address& of);

// Its answer is a netlink::nft_generation.
[[nodiscard]] std::vector<std::byte> generation_request();

struct rules_dump {
  std::vector<nat_rule> rules;
  std::vector<std::uint64_t> handles;  // of each rule, see rule_place
  std::uint64_t fingerprint = 0;       // differs when any rule differs; counters do not count
};
// Adds the rules in one datagram of the answer. Skips other messages and malformed ones.
void parse_rules(std::span<const std::byte> datagram, family which, rules_dump& into);

}  // namespace netfilter
