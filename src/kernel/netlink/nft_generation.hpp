// nft_generation: what the kernel says on the multicast group NFNLGRP_NFTABLES at the end of each change of the rules
// (NFT_MSG_NEWGEN): which process made it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace netlink {

struct nft_generation {
  std::uint32_t id = 0;
  std::uint32_t process = 0;  // as the initial pid namespace counts; 0 where the kernel does not say

  bool operator==(const nft_generation&) const = default;
};

// All generations that a datagram tells of. Other messages, and what is cut or malformed, are passed over.
[[nodiscard]] std::vector<nft_generation> parse_nft_generations(std::span<const std::byte> datagram);

}  // namespace netlink
