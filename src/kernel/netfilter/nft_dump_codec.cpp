#include "kernel/netfilter/nft_dump_codec.hpp"

#include <endian.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/netfilter/fingerprint.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nft_attributes.hpp"
#include "kernel/netfilter/nft_expressions.hpp"
#include "kernel/netfilter/nft_message.hpp"
#include "kernel/netfilter/xt_codec.hpp"
#include "kernel/netlink/attributes.hpp"

namespace netfilter {
namespace {

using netlink::bytes_view;

// Type, length, value, with one byte each for type and length. A comment has type 0.
std::string_view comment_of(bytes_view user_data) {
  while (user_data.size() >= 2) {
    const auto type = std::to_integer<unsigned>(user_data[0]);
    const auto size = std::to_integer<std::size_t>(user_data[1]);
    if (size > user_data.size() - 2) return {};
    if (type == 0) return text_of(user_data.subspan(2, size));
    user_data = user_data.subspan(2 + size);
  }
  return {};
}

void parse_rule(bytes_view body, family which, rules_dump& into) {
  fingerprint all(into.fingerprint);
  nat_rule r;
  nft_expressions expressions(r, which);
  const nft_attributes a(body);
  r.comment = comment_of(a.find(NFTA_RULE_USERDATA));
  all.add(a.find(NFTA_RULE_HANDLE));
  all.add(a.find(NFTA_RULE_USERDATA));
  netlink::for_each_attribute(a.find(NFTA_RULE_EXPRESSIONS), [&](int, bytes_view element, bytes_view) {
    const nft_attributes e(element);
    const auto name = text_of(e.find(NFTA_EXPR_NAME));
    expressions.add(name, e.find(NFTA_EXPR_DATA));
    if (name != "counter") all.add(element);
  });
  into.rules.push_back(std::move(r));
  into.handles.push_back(be64toh(netlink::read<std::uint64_t>(a.find(NFTA_RULE_HANDLE)).value_or(0)));
  into.fingerprint = all.value();
}

}  // namespace

std::vector<std::byte> rules_request(const chain_address& of) {
  std::vector<std::byte> made;
  const auto begin =
      begin_message(made, message_type(NFT_MSG_GETRULE), NLM_F_DUMP, 0, {protocol_number(of.which), 0, 0});
  append_text(made, NFTA_RULE_TABLE, of.table);
  append_text(made, NFTA_RULE_CHAIN, of.chain);
  end_message(made, begin);
  return made;
}

std::vector<std::byte> generation_request() {
  std::vector<std::byte> made;
  end_message(made, begin_message(made, message_type(NFT_MSG_GETGEN), 0, 0, {AF_UNSPEC, 0, 0}));
  return made;
}

void parse_rules(std::span<const std::byte> datagram, family which, rules_dump& into) {
  netlink::for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
    if (header.nlmsg_type == message_type(NFT_MSG_NEWRULE) && body.size() >= sizeof(nfgenmsg))
      parse_rule(body.subspan(sizeof(nfgenmsg)), which, into);
  });
}

}  // namespace netfilter
