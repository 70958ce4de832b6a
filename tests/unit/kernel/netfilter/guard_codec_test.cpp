// endpoint_guard_test and localnet_guard_test show what the kernel makes of these messages.
#include "kernel/netfilter/guard_codec.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "kernel/netfilter/nft_attributes.hpp"
#include "kernel/netfilter/nft_dump_codec.hpp"
#include "kernel/netfilter/nft_message.hpp"
#include "kernel/netfilter/xt_codec.hpp"

namespace netfilter {
namespace {

using netlink::bytes_view;
using testing::ElementsAre;
using testing::SizeIs;

struct message {
  nlmsghdr header{};
  nfgenmsg generic{};
  std::vector<std::byte> attributes{};

  [[nodiscard]] nft_attributes all() const { return nft_attributes(attributes); }
  [[nodiscard]] std::string text(int type) const { return std::string(text_of(all().find(type))); }
  [[nodiscard]] bool acknowledged() const { return (header.nlmsg_flags & NLM_F_ACK) != 0; }
};

std::vector<message> messages_of(bytes_view request) {
  std::vector<message> found;
  std::size_t size = 0;
  netlink::for_each_message(request, [&](const nlmsghdr& header, bytes_view body) {
    const auto attributes = body.subspan(sizeof(nfgenmsg));
    found.push_back({header, netlink::read<nfgenmsg>(body).value(), {attributes.begin(), attributes.end()}});
    size += header.nlmsg_len;
  });
  EXPECT_EQ(size, request.size()) << "no bytes between the messages or behind them";
  return found;
}

std::vector<int> types_of(const std::vector<message>& all) {
  std::vector<int> types;
  for (const auto& m : all) types.push_back(m.header.nlmsg_type);
  return types;
}

std::vector<std::string> expressions_of(const message& rule) {
  std::vector<std::string> names;
  netlink::for_each_attribute(rule.all().find(NFTA_RULE_EXPRESSIONS), [&](int, bytes_view element, bytes_view) {
    names.emplace_back(text_of(nft_attributes(element).find(NFTA_EXPR_NAME)));
  });
  return names;
}

// The rules of the request, as a dump of the kernel would show them.
std::vector<nat_rule> rules_of(const guard_rule& rule) {
  rules_dump found;
  parse_rules(guard_request(rule, refusal::drop), rule.which(), found);
  return found.rules;
}

const guard_rule forwarded{.table = "guard", .comment = "TAG:api", .refused = {net::address::v4(192, 168, 1, 1), 80}};
const guard_rule users{.table = "guard",
                       .comment = "TAG:users",
                       .refused = {net::address::loopback_v6(), 3030},
                       .whose = guarded::other_users,
                       .user = 0x01020304};
const guard_rule devices{.table = "guard",
                         .comment = "TAG:localnet",
                         .whose = guarded::for_loopback,
                         .devices = {"eth0", "a-name-of-16-byte"}};

// A removal of a missing table would fail the whole transaction: the table is added before it is removed.
TEST(guard_codec, one_transaction_replaces_the_table) {
  EXPECT_THAT(types_of(messages_of(guard_request(forwarded, refusal::reset))),
              ElementsAre(NFNL_MSG_BATCH_BEGIN, message_type(NFT_MSG_NEWTABLE), message_type(NFT_MSG_DELTABLE),
                          message_type(NFT_MSG_NEWTABLE), message_type(NFT_MSG_NEWCHAIN), message_type(NFT_MSG_NEWRULE),
                          NFNL_MSG_BATCH_END));
  EXPECT_THAT(types_of(messages_of(guard_removal_request(forwarded))),
              ElementsAre(NFNL_MSG_BATCH_BEGIN, message_type(NFT_MSG_DELTABLE), NFNL_MSG_BATCH_END));
}

TEST(guard_codec, the_kernel_acknowledges_the_last_message_alone) {
  for (const auto& request : {guard_request(devices, refusal::drop), guard_removal_request(devices)}) {
    const auto all = messages_of(request);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool last = i + 2 == all.size();  // before the end of the batch
      EXPECT_EQ(all[i].acknowledged(), last) << i;
      EXPECT_EQ(all[i].header.nlmsg_seq == guard_acknowledged, last) << i;
      EXPECT_TRUE((all[i].header.nlmsg_flags & NLM_F_REQUEST) != 0) << i;
    }
    EXPECT_EQ(all.front().generic.res_id, htons(NFNL_SUBSYS_NFTABLES));
    EXPECT_EQ(all.back().generic.res_id, htons(NFNL_SUBSYS_NFTABLES));
  }
}

TEST(guard_codec, all_messages_name_the_family_and_the_table) {
  for (const auto& rule : {forwarded, users, devices})
    for (const auto& m : messages_of(guard_request(rule, refusal::drop))) {
      if (m.header.nlmsg_type == NFNL_MSG_BATCH_BEGIN || m.header.nlmsg_type == NFNL_MSG_BATCH_END) continue;
      EXPECT_EQ(m.generic.nfgen_family, rule.whose == guarded::other_users ? NFPROTO_IPV6 : NFPROTO_IPV4);
      EXPECT_EQ(m.text(NFTA_TABLE_NAME), "guard");  // every message has the table's name in its attribute 1
    }
}

TEST(guard_codec, each_kind_hangs_at_its_hook_before_the_tables_of_others) {
  struct place {
    guard_rule rule;
    std::string chain;
    std::uint32_t hook;
    std::int32_t priority;
  };
  for (const auto& p :
       {place{forwarded, "forward", NF_INET_FORWARD, -10}, place{users, "output", NF_INET_LOCAL_OUT, -10},
        place{devices, "prerouting", NF_INET_PRE_ROUTING, -310}}) {
    const auto chain = messages_of(guard_request(p.rule, refusal::drop)).at(4);
    EXPECT_EQ(chain.text(NFTA_CHAIN_NAME), p.chain);
    EXPECT_EQ(p.rule.chain(), p.chain);
    EXPECT_EQ(chain.text(NFTA_CHAIN_TYPE), "filter");
    const auto hook = chain.all().nest(NFTA_CHAIN_HOOK);
    EXPECT_EQ(hook.number(NFTA_HOOK_HOOKNUM), p.hook);
    EXPECT_EQ(static_cast<std::int32_t>(hook.number(NFTA_HOOK_PRIORITY)), p.priority);
  }
}

TEST(guard_codec, a_dump_shows_the_endpoint_and_the_comment) {
  const auto rules = rules_of(forwarded);
  ASSERT_THAT(rules, SizeIs(1));
  EXPECT_EQ(
      rules[0],
      (nat_rule{
          .protocol = net::protocol::tcp, .destination = forwarded.refused.ip, .port = 80, .comment = "TAG:api"}));
  const auto of_users = rules_of(users);
  ASSERT_THAT(of_users, SizeIs(1));
  EXPECT_EQ(of_users[0].destination, users.refused.ip);
  EXPECT_EQ(of_users[0].port, 3030);
  EXPECT_EQ(of_users[0].unclear, "an unknown condition") << "the user";
}

TEST(guard_codec, refuses_all_users_but_root_and_the_own_one) {
  const auto rule = messages_of(guard_request(users, refusal::drop)).at(5);
  std::vector<std::uint32_t> users_compared;
  netlink::for_each_attribute(rule.all().find(NFTA_RULE_EXPRESSIONS), [&](int, bytes_view element, bytes_view) {
    const auto data = nft_attributes(element).nest(NFTA_EXPR_DATA);
    if (text_of(nft_attributes(element).find(NFTA_EXPR_NAME)) == "cmp" && data.number(NFTA_CMP_OP) == NFT_CMP_NEQ)
      users_compared.push_back(netlink::read<std::uint32_t>(data.value(NFTA_CMP_DATA)).value_or(77));
  });
  EXPECT_THAT(users_compared, ElementsAre(0U, users.user)) << "in the machine's byte order";
}

TEST(guard_codec, a_kernel_without_reject_gets_a_drop) {
  const auto last = [](refusal how) { return expressions_of(messages_of(guard_request(forwarded, how)).at(5)).back(); };
  EXPECT_EQ(last(refusal::reset), "reject");
  EXPECT_EQ(last(refusal::drop), "immediate");
  EXPECT_EQ(expressions_of(messages_of(guard_request(devices, refusal::reset)).at(5)).back(), "immediate")
      << "a packet for loopback gets no answer";
}

TEST(guard_codec, has_a_rule_for_each_device) {
  EXPECT_THAT(devices.comments(), ElementsAre("TAG:localnet eth0", "TAG:localnet a-name-of-16-byte"));
  std::vector<std::string> comments, compared;
  for (const auto& r : rules_of(devices)) comments.push_back(r.comment);
  EXPECT_EQ(comments, devices.comments());
  for (const auto& m : messages_of(guard_request(devices, refusal::drop)))
    netlink::for_each_attribute(
        m.header.nlmsg_type == message_type(NFT_MSG_NEWRULE) ? m.all().find(NFTA_RULE_EXPRESSIONS) : bytes_view{},
        [&](int, bytes_view element, bytes_view) {
          const auto value = nft_attributes(element).nest(NFTA_EXPR_DATA).value(NFTA_CMP_DATA);
          if (value.size() == 16) compared.emplace_back(text_of(value));
        });
  EXPECT_THAT(compared, ElementsAre("eth0", "a-name-of-16-by")) << "of a long name, what an interface can have";
}

}  // namespace
}  // namespace netfilter
