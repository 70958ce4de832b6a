#include "kernel/netfilter/xt_codec.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_tcpudp.h>

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/kernel/netfilter/rule_text.hpp"
#include "tests/unit/kernel/raw_bytes.hpp"

namespace netfilter {
namespace {

using namespace raw_bytes;

// "-p tcp --dport 80".
xt_tcp tcp_to_80() {
  xt_tcp m{};
  m.spts[1] = 65535;
  m.dpts[0] = m.dpts[1] = 80;
  return m;
}
xt_udp udp_to_53() {
  xt_udp m{};
  m.spts[1] = 65535;
  m.dpts[0] = m.dpts[1] = 53;
  return m;
}

// "-p sctp --dport 9" in the kernel's xt_sctp_info, whose header is not C++: two pairs of ports, 272 bytes about
// chunks, a count, flags, inverted flags.
constexpr std::size_t sctp_flags = 284;
bytes sctp_to_9() {
  bytes m(292);
  const std::uint16_t ports[2] = {9, 9};
  std::memcpy(m.data(), ports, sizeof ports);
  m[sctp_flags] = std::byte{2};
  return m;
}

nat_rule matched(std::string_view name, unsigned revision, const bytes& info) {
  nat_rule r;
  read_match(r, name, revision, info);
  return r;
}
std::string doubt_about(const std::function<void(xt_tcp&)>& change) {
  auto m = tcp_to_80();
  change(m);
  return matched("tcp", 0, raw(m)).unclear;
}

TEST(xt_codec, a_name_ends_at_its_zero_or_at_the_field) {
  EXPECT_EQ(text_of(std::as_bytes(std::span("DNAT\0rest", 10))), "DNAT");
  EXPECT_EQ(text_of(std::as_bytes(std::span("full", 4))), "full");
  EXPECT_EQ(text_of({}), "");
}

TEST(xt_codec, reads_the_port_of_each_protocol) {
  EXPECT_EQ(matched("tcp", 0, raw(tcp_to_80())), nat_rule{.port = 80});
  EXPECT_EQ(matched("udp", 0, raw(udp_to_53())), nat_rule{.port = 53});
  EXPECT_EQ(matched("sctp", 0, sctp_to_9()), nat_rule{.port = 9});
  auto chunks = sctp_to_9();
  chunks[sctp_flags] |= std::byte{4};
  EXPECT_EQ(matched("sctp", 0, chunks).unclear, "SCTP conditions beyond the port");
}

TEST(xt_codec, every_port_is_no_condition) {
  auto m = tcp_to_80();
  m.dpts[0] = 0, m.dpts[1] = 65535;
  EXPECT_EQ(matched("tcp", 0, raw(m)), nat_rule{});
}

TEST(xt_codec, a_wider_or_narrower_condition_than_one_port_is_unclear) {
  EXPECT_EQ(doubt_about([](xt_tcp& m) { m.dpts[1] = 81; }), "a range of ports");
  EXPECT_EQ(doubt_about([](xt_tcp& m) { m.dpts[0] = 0; }), "a range of ports");
  EXPECT_EQ(doubt_about([](xt_tcp& m) { m.spts[0] = 1; }), "a source port");
  EXPECT_EQ(doubt_about([](xt_tcp& m) { m.spts[1] = 1024; }), "a source port");
  EXPECT_EQ(doubt_about([](xt_tcp& m) { m.invflags = XT_TCP_INV_DSTPT; }), "a negation");
  EXPECT_EQ(doubt_about([](xt_tcp& m) { m.flg_mask = 2; }), "TCP flags");
  EXPECT_EQ(doubt_about([](xt_tcp& m) { m.option = 8; }), "TCP flags");
  EXPECT_EQ(doubt_about([](xt_tcp&) {}), "");
  auto negated = udp_to_53();
  negated.invflags = XT_UDP_INV_DSTPT;
  EXPECT_EQ(matched("udp", 0, raw(negated)).unclear, "a negation");
}

TEST(xt_codec, a_truncated_match_is_malformed_at_every_length) {
  for (const auto& [name, whole] :
       {std::pair{"tcp", raw(tcp_to_80())}, std::pair{"udp", raw(udp_to_53())}, std::pair{"sctp", sctp_to_9()}})
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto r = matched(name, 0, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
      EXPECT_EQ(r.port, 0) << name << size;
      EXPECT_EQ(r.unclear, "malformed") << name << size;
    }
}

TEST(xt_codec, other_matches_and_other_revisions_are_unclear_and_a_comment_is_not) {
  EXPECT_EQ(matched("comment", 0, raw("text")), nat_rule{.comment = "text"});
  EXPECT_EQ(matched("owner", 1, {}).unclear, "the match owner");
  EXPECT_EQ(matched("tcp", 1, raw(tcp_to_80())).unclear, "the match tcp");
  EXPECT_EQ(matched("a\nb", 0, {}).unclear.find('\n'), std::string::npos) << "the name is not printed raw";
}

nf_nat_range range_to(const char* ip, std::uint16_t port) {
  nf_nat_range r{};
  r.flags = NF_NAT_RANGE_MAP_IPS | (port == 0 ? 0U : static_cast<unsigned>(NF_NAT_RANGE_PROTO_SPECIFIED));
  const auto address = net::address::parse(ip).value();
  std::memcpy(&r.min_addr, address.data(), address.is_v4() ? 4 : 16);
  r.max_addr = r.min_addr;
  r.min_proto.all = r.max_proto.all = htons(port);
  return r;
}
std::string dnat(unsigned revision, const bytes& info, family which = family::ipv4) {
  nat_rule r;
  read_target(r, "DNAT", revision, info, which);
  return to_text(r);
}

TEST(xt_codec, reads_the_target_in_all_three_layouts) {
  nf_nat_ipv4_multi_range_compat first{};
  first.rangesize = 1;
  first.range[0].flags = NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED;
  first.range[0].min_ip = first.range[0].max_ip = inet_addr("10.4.0.7");
  first.range[0].min.all = first.range[0].max.all = htons(8080);
  EXPECT_EQ(dnat(0, raw(first)), "any *:0 -> 10.4.0.7:8080");
  EXPECT_EQ(dnat(1, raw(range_to("2001:db8::1", 80)), family::ipv6), "any *:0 -> [2001:db8::1]:80");
  nf_nat_range2 second{};
  const auto common = range_to("10.4.0.7", 80);
  std::memcpy(&second, &common, sizeof common);
  EXPECT_EQ(dnat(2, raw(second)), "any *:0 -> 10.4.0.7:80");
  EXPECT_EQ(dnat(1, raw(range_to("10.4.0.7", 0))), "any *:0 -> 10.4.0.7:0") << "the packet's port stays";
  first.rangesize = 2;
  EXPECT_EQ(dnat(0, raw(first)), "any *:0 -> 0.0.0.0:0 ? an unknown form of DNAT");
}

TEST(xt_codec, a_target_that_is_not_one_endpoint_is_unclear) {
  const auto text = [](const std::function<void(nf_nat_range&)>& change) {
    auto r = range_to("10.4.0.7", 80);
    change(r);
    return dnat(1, raw(r));
  };
  const std::string clear = "any *:0 -> 10.4.0.7:80";
  EXPECT_EQ(text([](nf_nat_range& r) { r.flags |= NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PERSISTENT; }), clear);
  EXPECT_EQ(text([](nf_nat_range& r) { r.max_proto.all = htons(81); }), clear + " ? a range of targets");
  EXPECT_EQ(text([](nf_nat_range& r) { r.max_addr.ip = inet_addr("10.4.0.8"); }), clear + " ? a range of targets");
  EXPECT_EQ(text([](nf_nat_range& r) { r.flags = NF_NAT_RANGE_PROTO_SPECIFIED; }), clear + " ? no target address");
  EXPECT_EQ(text([](nf_nat_range& r) { r.flags |= 1U << 20; }), clear + " ? an unknown form of DNAT");
}

// A rule with an unreadable target is still a DNAT rule.
TEST(xt_codec, an_unreadable_target_is_a_target) {
  const std::string unknown = "any *:0 -> 0.0.0.0:0 ? an unknown form of DNAT";
  const auto whole = raw(range_to("10.4.0.7", 80));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(dnat(1, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}), unknown);
  EXPECT_EQ(dnat(3, whole), unknown);
  EXPECT_EQ(dnat(0, whole, family::ipv6), unknown) << "that layout is IPv4's alone";
  nat_rule other;
  read_target(other, "MASQUERADE", 0, whole, family::ipv4);
  EXPECT_EQ(other, nat_rule{});
}

TEST(xt_codec, knows_the_protocols_with_ports) {
  const auto text = [](unsigned number) {
    nat_rule r;
    read_protocol(r, number);
    return to_text(r);
  };
  EXPECT_EQ(text(0), "any *:0");
  EXPECT_EQ(text(IPPROTO_TCP), "tcp *:0");
  EXPECT_EQ(text(IPPROTO_UDP), "udp *:0");
  EXPECT_EQ(text(IPPROTO_SCTP), "sctp *:0");
  EXPECT_EQ(text(IPPROTO_ICMP), "any *:0 ? a protocol without ports");
}

}  // namespace
}  // namespace netfilter
