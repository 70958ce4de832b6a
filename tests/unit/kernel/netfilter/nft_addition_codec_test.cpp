#include "kernel/netfilter/nft_addition_codec.hpp"

#include <gmock/gmock.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <string>
#include <vector>

#include "kernel/netfilter/nft_dump_codec.hpp"
#include "kernel/netlink/attributes.hpp"

namespace netfilter {
namespace {

using testing::ElementsAre;

const std::vector<std::string> some{":TAG -",
                                    "-A TAG -p udp -m udp --dport 53 -m comment --comment TAG:dns -j DNAT "
                                    "--to-destination 10.0.0.1:5353",
                                    "-A PREROUTING -i eth0 -j TAG"};

TEST(nft_addition_codec, lines_are_one_transaction_whose_last_one_is_acknowledged) {
  std::vector<int> types;
  netlink::for_each_message(addition_request("nat", some).value(), [&](const nlmsghdr& head, netlink::bytes_view) {
    types.push_back(head.nlmsg_type & 0xff);
    EXPECT_EQ((head.nlmsg_flags & NLM_F_ACK) != 0, head.nlmsg_seq == some.size());
  });
  EXPECT_THAT(
      types, ElementsAre(NFNL_MSG_BATCH_BEGIN, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE, NFT_MSG_NEWRULE, NFNL_MSG_BATCH_END));
}

TEST(nft_addition_codec, a_rule_is_read_back_from_what_was_written) {
  rules_dump found;
  parse_rules(addition_request("nat", some).value(), family::ipv4, found);
  ASSERT_EQ(found.rules.size(), 2U);
  const auto& dns = found.rules[0];
  EXPECT_EQ(dns.protocol, net::protocol::udp);
  EXPECT_EQ(dns.port, 53);
  EXPECT_EQ(dns.comment, "TAG:dns");
  EXPECT_EQ(dns.target, (net::endpoint{net::address::v4(10, 0, 0, 1), 5353}));
  EXPECT_EQ(dns.unclear, "");
  EXPECT_EQ(found.rules[1].jump, "TAG");
}

TEST(nft_addition_codec, all_lines_or_none) {
  EXPECT_FALSE(addition_request("nat", {}));
  for (const auto* other : {"-D TAG -j X", "-F TAG", "-A TAG -p tcp -m multiport --dports 80 -j X"}) {
    auto lines = some;
    lines.emplace_back(other);
    EXPECT_FALSE(addition_request("nat", lines)) << other;
  }
}

}  // namespace
}  // namespace netfilter
