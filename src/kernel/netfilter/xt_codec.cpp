#include "kernel/netfilter/xt_codec.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_tcpudp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/text.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netlink/attributes.hpp"
#include "net/address.hpp"
#include "net/protocol.hpp"

namespace netfilter {
namespace {

using netlink::bytes_view;
using netlink::read;

constexpr std::uint16_t last_port = 65535;

// The kernel's xt_sctp_info, whose header is not C++.
struct sctp_match {
  std::uint16_t dpts[2], spts[2];
  std::uint32_t chunk_map[64], chunk_match;
  std::uint8_t chunk_flags[4][3];
  std::int32_t flag_count;
  std::uint32_t flags, invflags;
};
constexpr std::uint32_t sctp_destination_ports = 2;

void read_ports(nat_rule& into, const std::uint16_t (&sources)[2], const std::uint16_t (&destinations)[2]) {
  if (sources[0] != 0 || sources[1] != last_port) into.doubt("a source port");
  if (destinations[0] == destinations[1])
    into.port = destinations[0];
  else if (destinations[0] != 0 || destinations[1] != last_port)
    into.doubt("a range of ports");
}

void read_tcp(nat_rule& into, bytes_view info) {
  const auto m = read<xt_tcp>(info);
  if (!m) return into.doubt("malformed");
  read_ports(into, m->spts, m->dpts);
  if (m->invflags != 0) into.doubt("a negation");
  if (m->option != 0 || m->flg_mask != 0) into.doubt("TCP flags");
}

void read_udp(nat_rule& into, bytes_view info) {
  const auto m = read<xt_udp>(info);
  if (!m) return into.doubt("malformed");
  read_ports(into, m->spts, m->dpts);
  if (m->invflags != 0) into.doubt("a negation");
}

void read_sctp(nat_rule& into, bytes_view info) {
  const auto m = read<sctp_match>(info);
  if (!m) return into.doubt("malformed");
  if ((m->flags & sctp_destination_ports) != 0) read_ports(into, {0, last_port}, m->dpts);
  if ((m->flags & ~sctp_destination_ports) != 0 || m->invflags != 0) into.doubt("SCTP conditions beyond the port");
}

// The common content of the target's three layouts.
struct mapping {
  unsigned flags = 0;
  net::address first, last;
  std::uint16_t first_port = 0, last_port = 0;  // in network order
};

net::address to_address(const nf_inet_addr& a, family which) {
  return which == family::ipv4 ? net::address::v4(&a.ip) : net::address::v6(&a.ip6);
}

template <class Range>
std::optional<mapping> to_mapping(bytes_view info, family which) {
  const auto r = read<Range>(info);
  if (!r) return std::nullopt;
  return mapping{r->flags, to_address(r->min_addr, which), to_address(r->max_addr, which), r->min_proto.all,
                 r->max_proto.all};
}

std::optional<mapping> read_mapping(unsigned revision, bytes_view info, family which) {
  if (revision == 1) return to_mapping<nf_nat_range>(info, which);
  if (revision == 2) return to_mapping<nf_nat_range2>(info, which);
  const auto all = read<nf_nat_ipv4_multi_range_compat>(info);
  if (revision != 0 || which != family::ipv4 || !all || all->rangesize != 1) return std::nullopt;
  const auto& r = all->range[0];
  return mapping{r.flags, net::address::v4(&r.min_ip), net::address::v4(&r.max_ip), r.min.all, r.max.all};
}

void read_dnat(nat_rule& into, unsigned revision, bytes_view info, family which) {
  constexpr unsigned understood =
      NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED | NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PERSISTENT;
  const auto m = read_mapping(revision, info, which);
  if (!m) {
    into.target.emplace();
    return into.doubt("an unknown form of DNAT");
  }
  const bool with_port = (m->flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0;
  into.target = {m->first, with_port ? ntohs(m->first_port) : std::uint16_t{0}};
  if ((m->flags & ~understood) != 0) into.doubt("an unknown form of DNAT");
  if ((m->flags & NF_NAT_RANGE_MAP_IPS) == 0) into.doubt("no target address");
  if (m->first != m->last || (with_port && m->first_port != m->last_port)) into.doubt("a range of targets");
}

}  // namespace

std::string_view text_of(std::span<const std::byte> field) {
  const auto end = std::ranges::find(field, std::byte{0});
  return {reinterpret_cast<const char*>(field.data()), static_cast<std::size_t>(end - field.begin())};
}

void read_protocol(nat_rule& into, unsigned number) {
  switch (number) {
    case 0: return;
    case IPPROTO_TCP: into.protocol = net::protocol::tcp; return;
    case IPPROTO_UDP: into.protocol = net::protocol::udp; return;
    case IPPROTO_SCTP: into.protocol = net::protocol::sctp; return;
    default: into.doubt("a protocol without ports");
  }
}

void read_match(nat_rule& into, std::string_view name, unsigned revision, bytes_view info) {
  if (name == "comment")
    into.comment = text_of(info);
  else if (name == "tcp" && revision == 0)
    read_tcp(into, info);
  else if (name == "udp" && revision == 0)
    read_udp(into, info);
  else if (name == "sctp" && revision == 0)
    read_sctp(into, info);
  else
    into.doubt("the match " + base::printable(name, 32));
}

void read_target(nat_rule& into, std::string_view name, unsigned revision, bytes_view info, family which) {
  if (name == "DNAT") read_dnat(into, revision, info, which);
}

}  // namespace netfilter
