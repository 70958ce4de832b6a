#include "kernel/netfilter/nft_codec.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "kernel/netfilter/fingerprint.hpp"
#include "kernel/netfilter/nft_message.hpp"
#include "kernel/netfilter/xt_codec.hpp"
#include "kernel/netlink/attributes.hpp"

namespace netfilter {
namespace {

using netlink::bytes_view;
using netlink::for_each_attribute;
using netlink::read;

std::uint32_t number(bytes_view value) { return ntohl(read<std::uint32_t>(value).value_or(0)); }

std::uint8_t number_of(family which) { return which == family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6; }

// The attributes of one nest by their type; of each type the last. Types that are not asked for here are left out.
class attributes {
 public:
  explicit attributes(bytes_view nest) {
    for_each_attribute(nest, [this](int type, bytes_view value, bytes_view) {
      if (static_cast<std::size_t>(type) < all_.size()) all_[static_cast<std::size_t>(type)] = value;
    });
  }
  [[nodiscard]] bool contains(int type) const { return find(type).data() != nullptr; }
  [[nodiscard]] bytes_view find(int type) const { return all_.at(static_cast<std::size_t>(type)); }

 private:
  std::array<bytes_view, 16> all_{};
};

bytes_view find(const attributes& all, int type) { return all.find(type); }

std::uint32_t find_number(const attributes& all, int type) { return number(find(all, type)); }

// Of nested data: the plain value.
bytes_view find_value(const attributes& all, int type) { return find(attributes(find(all, type)), NFTA_DATA_VALUE); }

// Reads a rule's expressions in their order: each loads a register, or compares one, or acts.
class expression_reader {
 public:
  expression_reader(nat_rule& into, family which) : rule_(into), which_(which) {}

  void add(std::string_view name, bytes_view data) {
    const attributes a(data);
    if (name == "meta") return meta(a);
    if (name == "payload") return payload(a);
    if (name == "cmp") return compare(a);
    if (name == "immediate") return immediate(a);
    if (name == "nat") return nat(a);
    if (name == "match")
      return read_match(rule_, text_of(find(a, NFTA_MATCH_NAME)), find_number(a, NFTA_MATCH_REV),
                        find(a, NFTA_MATCH_INFO));
    if (name == "target")
      return read_target(rule_, text_of(find(a, NFTA_TARGET_NAME)), find_number(a, NFTA_TARGET_REV),
                         find(a, NFTA_TARGET_INFO), which_);
    if (name != "counter") rule_.doubt("the expression " + base::printable(name, 32));
  }

 private:
  enum class field : std::uint8_t { unknown, family, protocol, destination, port, constant };
  struct content {
    field what = field::unknown;
    bytes_view value{};  // of a constant
  };

  void meta(const attributes& a) {
    const auto key = find_number(a, NFTA_META_KEY);
    load(a, NFTA_META_DREG,
         key == NFT_META_L4PROTO   ? field::protocol
         : key == NFT_META_NFPROTO ? field::family
                                   : field::unknown);
  }

  void payload(const attributes& a) {
    const auto base = find_number(a, NFTA_PAYLOAD_BASE), offset = find_number(a, NFTA_PAYLOAD_OFFSET),
               size = find_number(a, NFTA_PAYLOAD_LEN);
    const auto is = [&](std::uint32_t b, std::uint32_t o, std::uint32_t s) {
      return base == b && offset == o && size == s;
    };
    const bool v4 = which_ == family::ipv4;
    auto what = field::unknown;
    if (is(NFT_PAYLOAD_NETWORK_HEADER, v4 ? 16 : 24, v4 ? 4 : 16)) what = field::destination;
    if (is(NFT_PAYLOAD_NETWORK_HEADER, v4 ? 9 : 6, 1)) what = field::protocol;
    if (is(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2)) what = field::port;
    load(a, NFTA_PAYLOAD_DREG, what);
  }

  void load(const attributes& a, int destination, field what) { set(a, destination, {what, {}}); }

  void set(const attributes& a, int destination, content now) {
    const auto at = find_number(a, destination);
    if (at < registers_.size()) registers_[at] = now;
  }
  [[nodiscard]] content get(const attributes& a, int source) const {
    const auto at = find_number(a, source);
    return at < registers_.size() ? registers_[at] : content{};
  }

  void compare(const attributes& a) {
    const auto what = get(a, NFTA_CMP_SREG).what;
    const auto value = find_value(a, NFTA_CMP_DATA);
    if (what == field::unknown) return rule_.doubt("a condition that is not understood");
    if (find_number(a, NFTA_CMP_OP) != NFT_CMP_EQ) return rule_.doubt("a comparison other than for equality");
    if (what == field::protocol && value.size() == 1)
      read_protocol(rule_, std::to_integer<unsigned>(value[0]));
    else if (what == field::port && value.size() == 2)
      rule_.port = ntohs(read<std::uint16_t>(value).value_or(0));
    else if (what == field::destination && value.size() == address_size())
      rule_.destination = address(value);
    else if (what != field::family)
      rule_.doubt("damaged");
  }

  void immediate(const attributes& a) {
    const attributes data(find(a, NFTA_IMMEDIATE_DATA));
    set(a, NFTA_IMMEDIATE_DREG, {field::constant, find(data, NFTA_DATA_VALUE)});
    const attributes verdict(find(data, NFTA_DATA_VERDICT));
    if (verdict.contains(NFTA_VERDICT_CHAIN)) rule_.jump = text_of(find(verdict, NFTA_VERDICT_CHAIN));
  }

  // Source NAT is not told of: it sends no port elsewhere.
  void nat(const attributes& a) {
    if (find_number(a, NFTA_NAT_TYPE) != NFT_NAT_DNAT) return;
    const auto to = constant(a, NFTA_NAT_REG_ADDR_MIN);
    rule_.target.emplace();
    if (to.size() != address_size()) return rule_.doubt("a target that is not one address");
    rule_.target->ip = address(to);
    if (a.contains(NFTA_NAT_REG_PROTO_MIN)) {
      const auto port = read<std::uint16_t>(constant(a, NFTA_NAT_REG_PROTO_MIN));
      if (!port) return rule_.doubt("a target that is not one port");
      rule_.target->port = ntohs(*port);
    }
    const auto is_range = [&a](int first, int last) {
      return a.contains(last) && find_number(a, first) != find_number(a, last);
    };
    if (is_range(NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_ADDR_MAX) ||
        is_range(NFTA_NAT_REG_PROTO_MIN, NFTA_NAT_REG_PROTO_MAX))
      rule_.doubt("a range of targets");
  }

  // What the register that the attribute names was set to; empty where it holds no constant.
  [[nodiscard]] bytes_view constant(const attributes& a, int source) const {
    const auto c = get(a, source);
    return c.what == field::constant ? c.value : bytes_view{};
  }

  [[nodiscard]] std::size_t address_size() const { return which_ == family::ipv4 ? 4 : 16; }
  [[nodiscard]] net::address address(bytes_view value) const {
    return which_ == family::ipv4 ? net::address::v4(value.data()) : net::address::v6(value.data());
  }

  nat_rule& rule_;
  family which_;
  std::array<content, NFT_REG32_15 + 1> registers_{};
};

// Type, length, value, one byte each for the first two; a comment is of type 0.
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
  expression_reader expressions(r, which);
  const attributes a(body);
  r.comment = comment_of(find(a, NFTA_RULE_USERDATA));
  all.add(find(a, NFTA_RULE_HANDLE));
  all.add(find(a, NFTA_RULE_USERDATA));
  for_each_attribute(find(a, NFTA_RULE_EXPRESSIONS), [&](int, bytes_view element, bytes_view) {
    const attributes e(element);
    const auto name = text_of(find(e, NFTA_EXPR_NAME));
    expressions.add(name, find(e, NFTA_EXPR_DATA));
    if (name != "counter") all.add(element);
  });
  into.rules.push_back(std::move(r));
  into.handles.push_back(be64toh(read<std::uint64_t>(find(a, NFTA_RULE_HANDLE)).value_or(0)));
  into.fingerprint = all.value();
}

}  // namespace

std::vector<std::byte> rules_request(const chain_address& of) {
  std::vector<std::byte> made;
  const auto begin = begin_message(made, message_type(NFT_MSG_GETRULE), NLM_F_DUMP, 0, {number_of(of.which), 0, 0});
  append_text(made, NFTA_RULE_TABLE, of.table);
  append_text(made, NFTA_RULE_CHAIN, of.chain);
  end_message(made, begin);
  return made;
}

void parse_rules(std::span<const std::byte> datagram, family which, rules_dump& into) {
  netlink::for_each_message(datagram, [&](const nlmsghdr& header, bytes_view body) {
    if (header.nlmsg_type == message_type(NFT_MSG_NEWRULE) && body.size() >= sizeof(nfgenmsg))
      parse_rule(body.subspan(sizeof(nfgenmsg)), which, into);
  });
}

std::vector<std::byte> removal_request(std::string_view table, std::span<const rule_place> rules) {
  const nfgenmsg whole{AF_UNSPEC, 0, htons(NFNL_SUBSYS_NFTABLES)};
  std::vector<std::byte> made;
  end_message(made, begin_message(made, NFNL_MSG_BATCH_BEGIN, 0, 0, whole));
  std::uint32_t sequence = 0;
  for (const auto& r : rules) {
    const bool last = ++sequence == rules.size();
    const auto handle = htobe64(r.handle);
    const auto begin = begin_message(made, message_type(NFT_MSG_DELRULE), last ? NLM_F_ACK : 0, sequence,
                                     {number_of(family::ipv4), 0, 0});
    append_text(made, NFTA_RULE_TABLE, table);
    append_text(made, NFTA_RULE_CHAIN, r.chain);
    append(made, NFTA_RULE_HANDLE, std::as_bytes(std::span(&handle, 1)), sizeof handle);
    end_message(made, begin);
  }
  end_message(made, begin_message(made, NFNL_MSG_BATCH_END, 0, sequence + 1, whole));
  return made;
}

}  // namespace netfilter
