// nft_reader: dumps the rules of single chains of nftables, in which iptables-nft keeps its rules too. Other chains
// cost nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/netfilter/nft_dump_codec.hpp"
#include "kernel/netlink/socket.hpp"

namespace netfilter {

// Whether the error means that the kernel has no nftables at all, and not that it denies the request now.
[[nodiscard]] bool is_without_nftables(const base::error& e);

// The number of the rules' last change, in the calling thread's network namespace. While it stays the same, no rule of
// nftables has changed.
[[nodiscard]] base::result<std::uint32_t> read_nft_generation();

class nft_reader {
 public:
  // In the calling thread's network namespace. Fails with protocol_not_supported if the kernel has no netlink for
  // netfilter.
  static base::result<nft_reader> open();

  // The chain's rules in order; none if the chain does not exist. Takes microseconds, half a second at most. A chain
  // that changes meanwhile is read again. Fails with resource_unavailable_try_again if it keeps changing, and with
  // invalid_argument on a kernel without nftables.
  base::result<std::vector<nat_rule>> read(const chain_address& of);
  // The same with its fingerprint.
  base::result<rules_dump> dump(const chain_address& of);

 private:
  explicit nft_reader(netlink::socket kernel) : kernel_(std::move(kernel)) {}

  netlink::socket kernel_;
};

// Chains of the table nat (IPv4): enough to detect a change, and to find their rules again.
struct nft_nat_view {
  std::uint64_t fingerprint = 0;  // differs when a rule differs; counters do not count
  struct chain {
    std::string name;
    std::vector<std::uint64_t> handles;  // of its rules, in order; see rule_place
    std::vector<std::string> jumps;      // the chains to which they jump
  };
  std::vector<chain> chains;  // those that have rules
};

// Reads these chains, the chains in `followed`, and those to which a rule of `followed` jumps. Fails as nft_reader
// does. In the calling thread's network namespace.
[[nodiscard]] base::result<nft_nat_view> read_nft_nat(std::span<const std::string> chains,
                                                      std::span<const std::string> followed);

}  // namespace netfilter
