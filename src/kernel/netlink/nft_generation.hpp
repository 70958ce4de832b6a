// nft_generation: the message on the multicast group NFNLGRP_NFTABLES that ends each change of the rules
// (NFT_MSG_NEWGEN). It names the process that made the change. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace netlink {

struct nft_generation {
  std::uint32_t id = 0;
  std::uint32_t process = 0;  // in the initial pid namespace; 0 if the kernel does not say

  bool operator==(const nft_generation&) const = default;
};

// All generations in a datagram. Other messages, and truncated or malformed ones, are skipped.
[[nodiscard]] std::vector<nft_generation> parse_nft_generations(std::span<const std::byte> datagram);

}  // namespace netlink
