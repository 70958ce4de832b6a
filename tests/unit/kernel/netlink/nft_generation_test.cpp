#include "kernel/netlink/nft_generation.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cstring>

namespace netlink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using bytes = std::vector<std::byte>;

void append(bytes& to, const void* from, std::size_t size) {
  const auto* first = static_cast<const std::byte*>(from);
  to.insert(to.end(), first, first + size);
  to.resize((to.size() + 3) & ~std::size_t{3});
}

void append_attribute(bytes& to, std::uint16_t type, std::uint32_t value) {
  const nlattr head{sizeof(nlattr) + 4, type};
  append(to, &head, sizeof head);
  const auto wire = htonl(value);
  append(to, &wire, sizeof wire);
}

bytes message(std::uint16_t type, std::uint32_t id, std::uint32_t process) {
  bytes body;
  const nfgenmsg family{};
  append(body, &family, sizeof family);
  append_attribute(body, NFTA_GEN_ID, id);
  append_attribute(body, NFTA_GEN_PROC_PID, process);
  nlmsghdr head{};
  head.nlmsg_len = static_cast<std::uint32_t>(sizeof head + body.size());
  head.nlmsg_type = type;
  bytes whole;
  append(whole, &head, sizeof head);
  append(whole, body.data(), body.size());
  return whole;
}

constexpr std::uint16_t newgen = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN;
constexpr std::uint16_t newrule = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWRULE;

TEST(nft_generation, tells_who_made_the_change) {
  auto datagram = message(newrule, 1, 2);
  const auto generation = message(newgen, 7, 4321);
  datagram.insert(datagram.end(), generation.begin(), generation.end());
  EXPECT_THAT(parse_nft_generations(datagram), ElementsAre(nft_generation{7, 4321}));
}

TEST(nft_generation, is_total) {
  EXPECT_THAT(parse_nft_generations({}), IsEmpty());
  const auto whole = message(newgen, 7, 4321);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_THAT(parse_nft_generations(std::span(whole).first(cut)), IsEmpty());
    for (const int flip : {0x00, 0x01, 0x7f, 0xff}) {
      auto broken = whole;
      broken[cut] = static_cast<std::byte>(flip);
      EXPECT_LE(parse_nft_generations(broken).size(), 1U);
    }
  }
}

}  // namespace
}  // namespace netlink
