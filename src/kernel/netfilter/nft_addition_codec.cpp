#include "kernel/netfilter/nft_addition_codec.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nft_attributes.hpp"
#include "kernel/netfilter/nft_message.hpp"
#include "kernel/netfilter/nft_rule_writer.hpp"
#include "kernel/netfilter/restore_line.hpp"
#include "kernel/netlink/attributes.hpp"
#include "net/cidr.hpp"
#include "net/protocol.hpp"

namespace netfilter {
namespace {

using bytes = std::vector<std::byte>;

constexpr std::uint32_t source_offset = 12, destination_offset = 16;  // in the IPv4 header
constexpr std::uint16_t last_port = 65535;
constexpr std::size_t usual_message = 768;  // of one line, in bytes
constexpr std::uint8_t tcp_syn = 0x02, tcp_fin_syn_rst_ack = 0x17;

template <class T>
netlink::bytes_view view_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

std::uint8_t number_of(net::protocol protocol) { return protocol == net::protocol::tcp ? IPPROTO_TCP : IPPROTO_UDP; }

void append_device(bytes& to, const appended_rule::device& device) {
  const std::string name(device.name);
  append_meta(to, NFT_META_IIFNAME);
  append_comparison(to, std::as_bytes(std::span(name.c_str(), name.size() + 1)),
                    device.negated ? NFT_CMP_NEQ : NFT_CMP_EQ);
}

void append_network(bytes& to, const net::cidr& network, std::uint32_t offset) {
  const auto bits = network.prefix_length();
  const auto size = bits % 8 == 0 ? bits / 8 : std::uint32_t{4};
  append_payload(to, NFT_PAYLOAD_NETWORK_HEADER, offset, size);
  if (bits % 8 != 0) append_mask(to, view_of(htonl(~std::uint32_t{0} << (32 - bits))));
  append_comparison(to, std::as_bytes(std::span(network.network().data(), size)));
}

// A match or a target of x_tables, whose content the kernel wants padded.
constexpr std::size_t padded(std::size_t size) { return (size + alignof(_xt_align) - 1) & ~(alignof(_xt_align) - 1); }
template <class T>
void append_match(bytes& to, std::string_view name, const T& info) {
  append_expression(to, "match", [&] {
    append_text(to, NFTA_MATCH_NAME, name);
    append_number(to, NFTA_MATCH_REV, 0);
    append(to, NFTA_MATCH_INFO, view_of(info), padded(sizeof info));
  });
}

template <class T>
T ports_match(std::uint16_t port) {
  T match{};
  match.spts[1] = last_port;
  match.dpts[0] = match.dpts[1] = port;
  return match;
}
void append_port(bytes& to, const appended_rule& rule) {
  if (rule.protocol == net::protocol::udp) return append_match(to, "udp", ports_match<xt_udp>(rule.port));
  auto match = ports_match<xt_tcp>(rule.port);
  if (rule.new_connections) {
    match.flg_mask = tcp_fin_syn_rst_ack;
    match.flg_cmp = tcp_syn;
  }
  append_match(to, "tcp", match);
}

void append_comment(bytes& to, std::string_view comment) {
  xt_comment_info match{};
  comment.copy(match.comment, sizeof match.comment - 1);
  append_match(to, "comment", match);
}

// With no packet counted yet.
void append_counter(bytes& to) {
  append_expression(to, "counter", [&] {
    constexpr std::uint64_t none = 0;
    append(to, NFTA_COUNTER_BYTES, view_of(none), sizeof none);
    append(to, NFTA_COUNTER_PACKETS, view_of(none), sizeof none);
  });
}

void append_dnat(bytes& to, const appended_rule::destination& destination) {
  constexpr std::uint32_t revision = 2;  // since Linux 4.18
  nf_nat_range2 range{};
  if (destination.ip) {
    range.flags |= NF_NAT_RANGE_MAP_IPS;
    std::memcpy(&range.min_addr.ip, destination.ip->data(), sizeof range.min_addr.ip);
    range.max_addr.ip = range.min_addr.ip;
  }
  if (destination.port != 0) {
    range.flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
    range.min_proto.all = range.max_proto.all = htons(destination.port);
  }
  append_expression(to, "target", [&] {
    append_text(to, NFTA_TARGET_NAME, "DNAT");
    append_number(to, NFTA_TARGET_REV, revision);
    append(to, NFTA_TARGET_INFO, view_of(range), padded(sizeof range));
  });
}

// In the order in which iptables-nft writes them.
void append_expressions(bytes& to, const appended_rule& rule) {
  if (rule.in) append_device(to, *rule.in);
  if (rule.protocol) {
    append_meta(to, NFT_META_L4PROTO);
    append_comparison(to, view_of(number_of(*rule.protocol)));
  }
  if (rule.from) append_network(to, *rule.from, source_offset);
  if (rule.to) append_network(to, *rule.to, destination_offset);
  if (rule.port != 0) append_port(to, rule);
  if (!rule.comment.empty()) append_comment(to, rule.comment);
  append_counter(to);
  if (rule.dnat)
    append_dnat(to, *rule.dnat);
  else
    append_verdict(to, NFT_JUMP, rule.jump);
}

void append_rule(bytes& to, std::string_view table, const appended_rule& rule) {
  append_text(to, NFTA_RULE_TABLE, table);
  append_text(to, NFTA_RULE_CHAIN, rule.chain);
  const auto list = begin_nest(to, NFTA_RULE_EXPRESSIONS);
  append_expressions(to, rule);
  end_nest(to, list);
  if (!rule.protocol) return;
  // The kernel checks a match of ports against it.
  const auto compat = begin_nest(to, NFTA_RULE_COMPAT);
  append_number(to, NFTA_RULE_COMPAT_PROTO, number_of(*rule.protocol));
  append_number(to, NFTA_RULE_COMPAT_FLAGS, 0);
  end_nest(to, compat);
}

// False if the line says something else.
bool append_message(bytes& to, std::string_view table, std::string_view line, unsigned flags, std::uint32_t sequence) {
  const nfgenmsg generic{protocol_number(family::ipv4), 0, 0};
  if (const auto chain = read_new_chain(line)) {
    const auto begin =
        begin_message(to, message_type(NFT_MSG_NEWCHAIN), NLM_F_CREATE | NLM_F_EXCL | flags, sequence, generic);
    append_text(to, NFTA_CHAIN_TABLE, table);
    append_text(to, NFTA_CHAIN_NAME, *chain);
    end_message(to, begin);
    return true;
  }
  const auto rule = read_appended_rule(line);
  if (!rule) return false;
  const auto begin =
      begin_message(to, message_type(NFT_MSG_NEWRULE), NLM_F_CREATE | NLM_F_APPEND | flags, sequence, generic);
  append_rule(to, table, *rule);
  end_message(to, begin);
  return true;
}

}  // namespace

std::optional<bytes> addition_request(std::string_view table, std::span<const std::string> lines) {
  bool understood = !lines.empty();
  auto made = in_transaction([&](bytes& to) {
    to.reserve(lines.size() * usual_message);
    for (std::size_t i = 0; i < lines.size() && understood; ++i) {
      const unsigned last = i + 1 == lines.size() ? NLM_F_ACK : 0;
      understood = append_message(to, table, lines[i], last, static_cast<std::uint32_t>(i + 1));
    }
  });
  return understood ? std::optional(std::move(made)) : std::nullopt;
}

}  // namespace netfilter
