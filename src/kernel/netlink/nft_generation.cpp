#include "kernel/netlink/nft_generation.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernel/netlink/attributes.hpp"

namespace netlink {
namespace {

constexpr std::uint16_t new_generation = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN;

nft_generation parse_generation(bytes_view attributes) {
  nft_generation found;
  for_each_attribute(attributes, [&found](int type, bytes_view value, bytes_view) {
    const auto number = ntohl(read<std::uint32_t>(value).value_or(0));
    if (type == NFTA_GEN_ID) found.id = number;
    if (type == NFTA_GEN_PROC_PID) found.process = number;
  });
  return found;
}

}  // namespace

std::vector<nft_generation> parse_nft_generations(std::span<const std::byte> datagram) {
  std::vector<nft_generation> found;
  for_each_message(datagram, [&found](const nlmsghdr& header, bytes_view body) {
    if (header.nlmsg_type == new_generation && body.size() >= sizeof(nfgenmsg))
      found.push_back(parse_generation(body.subspan(sizeof(nfgenmsg))));
  });
  return found;
}

}  // namespace netlink
