// nft_codec: the messages of nfnetlink's subsystem nftables by which the rules of one chain are asked for or single
// ones taken out, and the answers. Understands what iptables-nft, nft and the CNI plugins write for DNAT: comparisons
// of header fields, compat matches and targets of x_tables, and nat expressions. Pure.
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
  bool done = false;                   // nothing more comes
  bool interrupted = false;            // the rules changed meanwhile: some may be missing
  int error = 0;                       // an errno: the kernel refused
};
// Adds one datagram of the answer. Other messages, and what is cut or malformed, are passed over.
void parse_rules(std::span<const std::byte> datagram, family which, rules_dump& into);

// Where a rule is. The handle is the kernel's number for it: no other rule of the table gets it, whatever happens to
// the chain.
struct rule_place {
  std::string chain;
  std::uint64_t handle = 0;

  auto operator<=>(const rule_place&) const = default;
};

// One transaction that takes all of these rules out of a table (IPv4), or none where one of them is not there. The
// kernel acknowledges the last rule's message.
[[nodiscard]] std::vector<std::byte> removal_request(std::string_view table, std::span<const rule_place> rules);

struct removal_answer {
  bool done = false;
  int error = 0;  // an errno: nothing was taken out; ENOENT where a rule is not there
};
// Adds one datagram of the answer to the removal of `count` rules. Other messages, and what is cut, are passed over.
void parse_removal_answer(std::span<const std::byte> datagram, std::size_t count, removal_answer& into);

}  // namespace netfilter
