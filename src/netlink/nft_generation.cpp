#include "netlink/nft_generation.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace netlink {
namespace {

constexpr std::uint16_t new_generation = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN;

template <class T>
std::optional<T> read(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::span<const std::byte> without(std::span<const std::byte> bytes, std::size_t aligned_to_4) {
  return bytes.subspan(std::min(bytes.size(), (aligned_to_4 + 3) & ~std::size_t{3}));
}

nft_generation parse_attributes(std::span<const std::byte> bytes) {
  nft_generation found;
  while (const auto attribute = read<nlattr>(bytes)) {
    if (attribute->nla_len < sizeof(nlattr) || attribute->nla_len > bytes.size()) break;
    const auto value = read<std::uint32_t>(bytes.subspan(sizeof(nlattr), attribute->nla_len - sizeof(nlattr)));
    const auto type = attribute->nla_type & NLA_TYPE_MASK;
    if (value && type == NFTA_GEN_ID) found.id = ntohl(*value);
    if (value && type == NFTA_GEN_PROC_PID) found.process = ntohl(*value);
    bytes = without(bytes, attribute->nla_len);
  }
  return found;
}

}  // namespace

std::vector<nft_generation> parse_nft_generations(std::span<const std::byte> datagram) {
  std::vector<nft_generation> found;
  while (const auto header = read<nlmsghdr>(datagram)) {
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) break;
    const auto body = datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr));
    if (header->nlmsg_type == new_generation && body.size() >= sizeof(nfgenmsg))
      found.push_back(parse_attributes(body.subspan(sizeof(nfgenmsg))));
    datagram = without(datagram, header->nlmsg_len);
  }
  return found;
}

}  // namespace netlink
