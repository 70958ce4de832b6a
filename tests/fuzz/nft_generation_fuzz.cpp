// Datagrams of the netlink group NFNLGRP_NFTABLES.
#include <cstdint>
#include <cstdlib>

#include "kernel/netlink/nft_generation.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto found = netlink::parse_nft_generations({reinterpret_cast<const std::byte*>(data), size});
  if (found.size() > size / 16) std::abort();  // each takes a header at least
  return 0;
}
