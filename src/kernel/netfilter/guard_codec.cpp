#include "kernel/netfilter/guard_codec.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nft_message.hpp"
#include "kernel/netfilter/nft_rule_writer.hpp"
#include "kernel/netlink/attributes.hpp"

namespace netfilter {
namespace {

using bytes = std::vector<std::byte>;

constexpr std::int32_t ahead_of_filter = -10;  // NF_IP_PRI_FILTER is 0
constexpr std::int32_t ahead_of_raw = -310;    // NF_IP_PRI_RAW is -300
constexpr std::size_t device_size = 16;        // IFNAMSIZ

void append_refusal(bytes& to, refusal how) {
  if (how == refusal::reset)
    return append_expression(to, "reject", [&] { append_number(to, NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST); });
  append_verdict(to, NF_DROP);
}

// Does not match the interface: after a DNAT rule has changed the address, this hook still shows the former interface.
void append_other_users(bytes& to, std::uint32_t user) {
  append_meta(to, NFT_META_SKUID);
  for (const std::uint32_t allowed : {std::uint32_t{0}, user})
    append_comparison(to, std::as_bytes(std::span(&allowed, 1)), NFT_CMP_NEQ);
}

// `iifname DEVICE ip daddr 127.0.0.0/8 drop`
void append_loopback_expressions(bytes& to, const std::string& device) {
  append_meta(to, NFT_META_IIFNAME);
  std::array<char, device_size> name{};
  device.copy(name.data(), name.size() - 1);
  append_comparison(to, std::as_bytes(std::span(name)));
  append_payload(to, NFT_PAYLOAD_NETWORK_HEADER, 16, 1);
  constexpr std::uint8_t loopback = 127;
  append_comparison(to, std::as_bytes(std::span(&loopback, 1)));
  append_refusal(to, refusal::drop);
}

void append_endpoint_expressions(bytes& to, const guard_rule& rule, refusal how) {
  append_meta(to, NFT_META_L4PROTO);
  constexpr std::uint8_t tcp = IPPROTO_TCP;
  append_comparison(to, std::as_bytes(std::span(&tcp, 1)));
  const bool v4 = rule.which() == family::ipv4;
  const std::uint32_t ip_size = v4 ? 4 : 16;
  append_payload(to, NFT_PAYLOAD_NETWORK_HEADER, v4 ? 16 : 24, ip_size);
  append_comparison(to, std::as_bytes(std::span(rule.refused.ip.data(), ip_size)));
  append_payload(to, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
  const auto port = htons(rule.refused.port);
  append_comparison(to, std::as_bytes(std::span(&port, 1)));
  if (rule.whose == guarded::other_users) append_other_users(to, rule.user);
  append_refusal(to, how);
}

// Type 0, length, text, as nft writes and shows it.
void append_comment(bytes& to, const std::string& comment) {
  bytes user_data{std::byte{0}, static_cast<std::byte>(comment.size() + 1)};
  const auto text = std::as_bytes(std::span(comment.c_str(), comment.size() + 1));
  user_data.insert(user_data.end(), text.begin(), text.end());
  append(to, NFTA_RULE_USERDATA, user_data, user_data.size());
}

template <class Fill>
void append_message(bytes& to, family which, int type, unsigned flags, Fill&& fill) {
  const auto number = (flags & NLM_F_ACK) != 0 ? guard_acknowledged : 0;
  const std::uint8_t protocol = which == family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
  const auto begin = begin_message(to, message_type(type), flags, number, {protocol, 0, 0});
  fill();
  end_message(to, begin);
}

std::uint32_t hook_of(guarded whose) {
  switch (whose) {
    case guarded::forwarded: return NF_INET_FORWARD;
    case guarded::other_users: return NF_INET_LOCAL_OUT;
    case guarded::for_loopback: break;
  }
  return NF_INET_PRE_ROUTING;
}

void append_chain(bytes& to, const guard_rule& rule) {
  append_text(to, NFTA_CHAIN_TABLE, rule.table);
  append_text(to, NFTA_CHAIN_NAME, rule.chain());
  const auto hook = begin_nest(to, NFTA_CHAIN_HOOK);
  append_number(to, NFTA_HOOK_HOOKNUM, hook_of(rule.whose));
  const auto priority = rule.whose == guarded::for_loopback ? ahead_of_raw : ahead_of_filter;
  append_number(to, NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(priority));
  end_nest(to, hook);
  append_text(to, NFTA_CHAIN_TYPE, "filter");
}

void append_rule(bytes& to, const guard_rule& rule, std::size_t number, refusal how) {
  const auto comments = rule.comments();
  const unsigned last = number + 1 == comments.size() ? NLM_F_ACK : 0;
  append_message(to, rule.which(), NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | last, [&] {
    append_text(to, NFTA_RULE_TABLE, rule.table);
    append_text(to, NFTA_RULE_CHAIN, rule.chain());
    const auto list = begin_nest(to, NFTA_RULE_EXPRESSIONS);
    if (rule.whose == guarded::for_loopback)
      append_loopback_expressions(to, rule.devices[number]);
    else
      append_endpoint_expressions(to, rule, how);
    end_nest(to, list);
    append_comment(to, comments[number]);
  });
}

}  // namespace

std::string_view guard_rule::chain() const {
  switch (whose) {
    case guarded::forwarded: return "forward";
    case guarded::other_users: return "output";
    case guarded::for_loopback: break;
  }
  return "prerouting";
}

family guard_rule::which() const {
  return whose == guarded::for_loopback || refused.ip.is_v4() ? family::ipv4 : family::ipv6;
}

std::vector<std::string> guard_rule::comments() const {
  if (whose != guarded::for_loopback) return {comment};
  std::vector<std::string> made;
  made.reserve(devices.size());
  for (const auto& device : devices) made.push_back(comment + ' ' + device);
  return made;
}

// Adds the table, so that its removal cannot fail, removes it with its old rules, and adds it again.
std::vector<std::byte> guard_request(const guard_rule& rule, refusal how) {
  return in_transaction([&](bytes& to) {
    const auto name = [&] { append_text(to, NFTA_TABLE_NAME, rule.table); };
    append_message(to, rule.which(), NFT_MSG_NEWTABLE, NLM_F_CREATE, name);
    append_message(to, rule.which(), NFT_MSG_DELTABLE, 0, name);
    append_message(to, rule.which(), NFT_MSG_NEWTABLE, NLM_F_CREATE, name);
    append_message(to, rule.which(), NFT_MSG_NEWCHAIN, NLM_F_CREATE, [&] { append_chain(to, rule); });
    for (std::size_t i = 0; i < rule.comments().size(); ++i) append_rule(to, rule, i, how);
  });
}

std::vector<std::byte> guard_removal_request(const guard_rule& rule) {
  return in_transaction([&](bytes& to) {
    append_message(to, rule.which(), NFT_MSG_DELTABLE, NLM_F_ACK,
                   [&] { append_text(to, NFTA_TABLE_NAME, rule.table); });
  });
}

}  // namespace netfilter
