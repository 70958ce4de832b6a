#include "kernel/netfilter/nft_removal_codec.hpp"

#include <endian.h>
#include <gmock/gmock.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "kernel/netlink/attributes.hpp"

namespace netfilter {
namespace {

using testing::ElementsAre;

TEST(nft_removal_codec, a_removal_is_one_transaction) {
  const std::vector<rule_place> rules{{"CNI-DN-x", 258}, {"DOCKER", 7}};
  std::vector<int> types;
  std::vector<std::uint64_t> handles;
  netlink::for_each_message(removal_request("nat", rules), [&](const nlmsghdr& head, netlink::bytes_view body) {
    types.push_back(head.nlmsg_type & 0xff);
    EXPECT_EQ((head.nlmsg_flags & NLM_F_ACK) != 0, head.nlmsg_seq == rules.size());
    netlink::for_each_attribute(body.subspan(sizeof(nfgenmsg)), [&](int type, netlink::bytes_view value, auto) {
      if (type == NFTA_RULE_HANDLE) handles.push_back(be64toh(*netlink::read<std::uint64_t>(value)));
    });
  });
  EXPECT_THAT(types, ElementsAre(NFNL_MSG_BATCH_BEGIN, NFT_MSG_DELRULE, NFT_MSG_DELRULE, NFNL_MSG_BATCH_END));
  EXPECT_THAT(handles, ElementsAre(258, 7));
}

}  // namespace
}  // namespace netfilter
