// nft_dump_codec_test reads whole rules that the real programs wrote; here is each expression, and what makes a rule
// unclear.
#include "kernel/netfilter/nft_expressions.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables_compat.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netfilter/nft_message.hpp"
#include "tests/unit/kernel/netfilter/rule_text.hpp"
#include "tests/unit/kernel/raw_bytes.hpp"

namespace netfilter {
namespace {

using namespace raw_bytes;

bytes attribute(int type, const bytes& value) {
  bytes made;
  append(made, static_cast<std::uint16_t>(type), value, value.size());
  return made;
}
bytes number(int type, std::uint32_t value) { return attribute(type, raw(htonl(value))); }
bytes value_of(int type, const bytes& value) { return attribute(type, attribute(NFTA_DATA_VALUE, value)); }
bytes ip(const char* text) {
  const auto address = net::address::parse(text).value();
  const auto view = std::as_bytes(std::span(address.data(), address.is_v4() ? 4U : 16U));
  return {view.begin(), view.end()};
}
bytes port(std::uint16_t number) { return raw(htons(number)); }

// The expressions of one rule, in order.
class rule {
 public:
  explicit rule(family which = family::ipv4) : reader_(read_, which) {}

  rule& add(std::string_view name, const bytes& data) {
    reader_.add(name, datagram_.emplace_back(data));
    return *this;
  }
  rule& meta(std::uint32_t key, std::uint32_t into = NFT_REG_1) {
    return add("meta", number(NFTA_META_KEY, key) + number(NFTA_META_DREG, into));
  }
  rule& payload(std::uint32_t base, std::uint32_t offset, std::uint32_t size) {
    return add("payload", number(NFTA_PAYLOAD_BASE, base) + number(NFTA_PAYLOAD_OFFSET, offset) +
                              number(NFTA_PAYLOAD_LEN, size) + number(NFTA_PAYLOAD_DREG, NFT_REG_1));
  }
  rule& compare(const bytes& value, std::uint32_t how = NFT_CMP_EQ, std::uint32_t from = NFT_REG_1) {
    return add("cmp", number(NFTA_CMP_SREG, from) + number(NFTA_CMP_OP, how) + value_of(NFTA_CMP_DATA, value));
  }
  rule& constant(std::uint32_t into, const bytes& value) {
    return add("immediate", number(NFTA_IMMEDIATE_DREG, into) + value_of(NFTA_IMMEDIATE_DATA, value));
  }
  rule& dnat(const bytes& registers) { return add("nat", number(NFTA_NAT_TYPE, NFT_NAT_DNAT) + registers); }
  [[nodiscard]] std::string text() const { return to_text(read_); }
  [[nodiscard]] const nat_rule& read() const { return read_; }

 private:
  std::deque<bytes> datagram_;  // the reader keeps views of it
  nat_rule read_;
  nft_expressions reader_;
};

const bytes to_one_address = number(NFTA_NAT_REG_ADDR_MIN, 1);
const bytes to_one_port = number(NFTA_NAT_REG_PROTO_MIN, 2);

TEST(nft_expressions, reads_a_whole_rule_of_each_family) {
  rule v4;
  v4.payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 4).compare(ip("127.0.0.1"));
  v4.meta(NFT_META_L4PROTO).compare({std::byte{IPPROTO_TCP}});
  v4.payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2).compare(port(8080)).add("counter", {});
  v4.constant(1, ip("10.4.0.7")).constant(2, port(80)).dnat(to_one_address + to_one_port);
  EXPECT_EQ(v4.text(), "tcp 127.0.0.1:8080 -> 10.4.0.7:80");
  rule v6(family::ipv6);
  v6.payload(NFT_PAYLOAD_NETWORK_HEADER, 24, 16).compare(ip("::1"));
  v6.payload(NFT_PAYLOAD_NETWORK_HEADER, 6, 1).compare({std::byte{IPPROTO_UDP}});
  v6.payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2).compare(port(53));
  v6.constant(1, ip("2001:db8::1")).dnat(to_one_address);
  EXPECT_EQ(v6.text(), "udp ::1:53 -> [2001:db8::1]:0");
}

TEST(nft_expressions, a_field_of_the_other_family_is_unknown) {
  const std::string unknown = "any *:0 ? an unknown condition";
  EXPECT_EQ(rule().payload(NFT_PAYLOAD_NETWORK_HEADER, 24, 16).compare(ip("::1")).text(), unknown);
  EXPECT_EQ(rule(family::ipv6).payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 4).compare(ip("127.0.0.1")).text(), unknown);
  EXPECT_EQ(rule().payload(NFT_PAYLOAD_NETWORK_HEADER, 12, 4).compare(ip("10.0.0.1")).text(), unknown) << "the source";
  EXPECT_EQ(rule().payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2).compare(port(80)).text(), unknown) << "the source port";
  EXPECT_EQ(rule().meta(NFT_META_IIFNAME).compare(bytes(16)).text(), unknown);
}

TEST(nft_expressions, the_family_is_no_condition) {
  EXPECT_EQ(rule().meta(NFT_META_NFPROTO).compare({std::byte{2}}).text(), "any *:0");
}

TEST(nft_expressions, other_comparisons_than_equality_are_unclear) {
  EXPECT_EQ(rule().payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2).compare(port(80), NFT_CMP_NEQ).text(),
            "any *:0 ? a comparison other than equality");
  EXPECT_EQ(rule().payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2).compare(bytes(4)).text(), "any *:0 ? malformed");
  EXPECT_EQ(rule().payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 4).compare(bytes(3)).text(), "any *:0 ? malformed");
}

TEST(nft_expressions, a_comparison_reads_its_own_register) {
  EXPECT_EQ(rule().meta(NFT_META_L4PROTO, 2).compare({std::byte{IPPROTO_TCP}}).text(),
            "any *:0 ? an unknown condition");
  rule overwritten;
  overwritten.payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2).meta(NFT_META_MARK).compare(port(80));
  EXPECT_EQ(overwritten.text(), "any *:0 ? an unknown condition");
}

// Register numbers are the kernel's; a broken answer must not write outside of the registers.
TEST(nft_expressions, a_register_that_does_not_exist_holds_nothing) {
  for (const std::uint32_t at : {std::uint32_t{NFT_REG32_15} + 1, 0xffffffffU}) {
    EXPECT_EQ(rule().meta(NFT_META_L4PROTO, at).compare({std::byte{6}}, NFT_CMP_EQ, at).text(),
              "any *:0 ? an unknown condition");
    EXPECT_EQ(rule().constant(at, ip("10.4.0.7")).dnat(number(NFTA_NAT_REG_ADDR_MIN, at)).text(),
              "any *:0 -> 0.0.0.0:0 ? a target that is not one address");
  }
}

TEST(nft_expressions, a_target_that_is_not_one_constant_is_unclear) {
  const auto no_address = "any *:0 -> 0.0.0.0:0 ? a target that is not one address";
  EXPECT_EQ(rule().dnat(to_one_address).text(), no_address);
  EXPECT_EQ(rule().meta(NFT_META_MARK, 1).dnat(to_one_address).text(), no_address) << "a map, or a computed address";
  EXPECT_EQ(rule(family::ipv6).constant(1, ip("10.4.0.7")).dnat(to_one_address).read().unclear,
            "a target that is not one address");
  EXPECT_EQ(rule().constant(1, ip("10.4.0.7")).dnat(to_one_address + to_one_port).text(),
            "any *:0 -> 10.4.0.7:0 ? a target that is not one port");
}

TEST(nft_expressions, a_range_of_targets_is_unclear) {
  const auto with = [](const bytes& more) {
    return rule().constant(1, ip("10.4.0.7")).constant(2, port(80)).dnat(to_one_address + to_one_port + more).text();
  };
  const std::string clear = "any *:0 -> 10.4.0.7:80";
  EXPECT_EQ(with(number(NFTA_NAT_REG_ADDR_MAX, 1) + number(NFTA_NAT_REG_PROTO_MAX, 2)), clear) << "the same registers";
  EXPECT_EQ(with(number(NFTA_NAT_REG_ADDR_MAX, 3)), clear + " ? a range of targets");
  EXPECT_EQ(with(number(NFTA_NAT_REG_PROTO_MAX, 3)), clear + " ? a range of targets");
}

TEST(nft_expressions, source_nat_has_no_target) {
  EXPECT_EQ(rule().constant(1, ip("10.4.0.7")).add("nat", number(NFTA_NAT_TYPE, NFT_NAT_SNAT) + to_one_address).text(),
            "any *:0");
}

TEST(nft_expressions, reads_jumps_and_no_other_verdict) {
  const auto verdict = [](const bytes& content) {
    return rule().add("immediate", number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT) +
                                       attribute(NFTA_IMMEDIATE_DATA, attribute(NFTA_DATA_VERDICT, content)));
  };
  bytes jump;
  append_text(jump, NFTA_VERDICT_CHAIN, "CNI-DN-1");
  EXPECT_EQ(verdict(jump).read().jump, "CNI-DN-1");
  EXPECT_EQ(verdict(number(NFTA_VERDICT_CODE, NF_DROP)).read(), nat_rule{});
}

TEST(nft_expressions, reads_the_matches_of_iptables_by_name) {
  bytes comment;
  append_text(comment, NFTA_MATCH_NAME, "comment");
  append_text(comment, NFTA_MATCH_INFO, "hello");
  EXPECT_EQ(rule().add("match", comment).read(), nat_rule{.comment = "hello"});
  bytes target;
  append_text(target, NFTA_TARGET_NAME, "DNAT");
  EXPECT_EQ(rule().add("target", target + number(NFTA_TARGET_REV, 9)).text(),
            "any *:0 -> 0.0.0.0:0 ? an unknown form of DNAT");
}

TEST(nft_expressions, an_unknown_expression_makes_the_rule_unclear_and_the_first_doubt_stays) {
  EXPECT_EQ(rule().add("counter", {}).text(), "any *:0");
  EXPECT_EQ(rule().add("lookup", {}).add("limit", {}).text(), "any *:0 ? the expression lookup");
}

}  // namespace
}  // namespace netfilter
