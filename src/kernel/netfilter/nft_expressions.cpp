#include "kernel/netfilter/nft_expressions.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables_compat.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/text.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nft_attributes.hpp"
#include "kernel/netfilter/xt_codec.hpp"
#include "kernel/netlink/attributes.hpp"

namespace netfilter {

using netlink::bytes_view;
using netlink::read;

void nft_expressions::add(std::string_view name, bytes_view data) {
  const nft_attributes a(data);
  if (name == "meta") return add_meta(a);
  if (name == "payload") return add_payload(a);
  if (name == "cmp") return add_comparison(a);
  if (name == "immediate") return add_immediate(a);
  if (name == "nat") return add_nat(a);
  if (name == "match" || name == "target") return add_compat(name, a);
  if (name != "counter") rule_.doubt("the expression " + base::printable(name, 32));
}

void nft_expressions::add_compat(std::string_view name, const nft_attributes& a) {
  if (name == "match")
    read_match(rule_, text_of(a.find(NFTA_MATCH_NAME)), a.number(NFTA_MATCH_REV), a.find(NFTA_MATCH_INFO));
  else
    read_target(rule_, text_of(a.find(NFTA_TARGET_NAME)), a.number(NFTA_TARGET_REV), a.find(NFTA_TARGET_INFO), which_);
}

void nft_expressions::add_meta(const nft_attributes& a) {
  const auto key = a.number(NFTA_META_KEY);
  auto what = field::unknown;
  if (key == NFT_META_L4PROTO) what = field::protocol;
  if (key == NFT_META_NFPROTO) what = field::family;
  set(a, NFTA_META_DREG, {what, {}});
}

void nft_expressions::add_payload(const nft_attributes& a) {
  const auto base = a.number(NFTA_PAYLOAD_BASE), offset = a.number(NFTA_PAYLOAD_OFFSET),
             size = a.number(NFTA_PAYLOAD_LEN);
  const auto is = [&](std::uint32_t b, std::uint32_t o, std::uint32_t s) {
    return base == b && offset == o && size == s;
  };
  const bool v4 = which_ == family::ipv4;
  auto what = field::unknown;
  if (is(NFT_PAYLOAD_NETWORK_HEADER, v4 ? 16 : 24, v4 ? 4 : 16)) what = field::destination;
  if (is(NFT_PAYLOAD_NETWORK_HEADER, v4 ? 9 : 6, 1)) what = field::protocol;
  if (is(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2)) what = field::port;
  set(a, NFTA_PAYLOAD_DREG, {what, {}});
}

void nft_expressions::add_comparison(const nft_attributes& a) {
  const auto what = get(a, NFTA_CMP_SREG).what;
  const auto value = a.value(NFTA_CMP_DATA);
  if (what == field::unknown) return rule_.doubt("an unknown condition");
  if (a.number(NFTA_CMP_OP) != NFT_CMP_EQ) return rule_.doubt("a comparison other than equality");
  if (what == field::protocol && value.size() == 1)
    read_protocol(rule_, std::to_integer<unsigned>(value[0]));
  else if (what == field::port && value.size() == 2)
    rule_.port = ntohs(read<std::uint16_t>(value).value_or(0));
  else if (what == field::destination && value.size() == address_size())
    rule_.destination = address(value);
  else if (what != field::family)
    rule_.doubt("malformed");
}

void nft_expressions::add_immediate(const nft_attributes& a) {
  const auto data = a.nest(NFTA_IMMEDIATE_DATA);
  set(a, NFTA_IMMEDIATE_DREG, {field::constant, data.find(NFTA_DATA_VALUE)});
  const auto verdict = data.nest(NFTA_DATA_VERDICT);
  if (verdict.contains(NFTA_VERDICT_CHAIN)) rule_.jump = text_of(verdict.find(NFTA_VERDICT_CHAIN));
}

// Source NAT is ignored: it changes no destination.
void nft_expressions::add_nat(const nft_attributes& a) {
  if (a.number(NFTA_NAT_TYPE) != NFT_NAT_DNAT) return;
  const auto to = constant(a, NFTA_NAT_REG_ADDR_MIN);
  rule_.target.emplace();
  if (to.size() != address_size()) return rule_.doubt("a target that is not one address");
  rule_.target->ip = address(to);
  if (a.contains(NFTA_NAT_REG_PROTO_MIN)) {
    const auto port = read<std::uint16_t>(constant(a, NFTA_NAT_REG_PROTO_MIN));
    if (!port) return rule_.doubt("a target that is not one port");
    rule_.target->port = ntohs(*port);
  }
  const auto is_range = [&a](int first, int last) { return a.contains(last) && a.number(first) != a.number(last); };
  if (is_range(NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_ADDR_MAX) ||
      is_range(NFTA_NAT_REG_PROTO_MIN, NFTA_NAT_REG_PROTO_MAX))
    rule_.doubt("a range of targets");
}

void nft_expressions::set(const nft_attributes& a, int destination, content now) {
  const auto at = a.number(destination);
  if (at < registers_.size()) registers_[at] = now;
}

nft_expressions::content nft_expressions::get(const nft_attributes& a, int source) const {
  const auto at = a.number(source);
  return at < registers_.size() ? registers_[at] : content{};
}

bytes_view nft_expressions::constant(const nft_attributes& a, int source) const {
  const auto c = get(a, source);
  return c.what == field::constant ? c.value : bytes_view{};
}

net::address nft_expressions::address(bytes_view value) const {
  return which_ == family::ipv4 ? net::address::v4(value.data()) : net::address::v6(value.data());
}

}  // namespace netfilter
