#include "kernel/netlink/conntrack_codec.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "kernel/netlink/attributes.hpp"
#include "tests/unit/kernel/raw_bytes.hpp"

namespace netlink {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using namespace raw_bytes;

bytes padded(bytes b) {
  b.resize((b.size() + 3) & ~std::size_t{3});
  return b;
}
bytes attribute(int type, const bytes& value) {
  const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), static_cast<std::uint16_t>(type)};
  return padded(raw(header) + value);
}
bytes ipv4(const char* text) { return raw(inet_addr(text)); }
bytes port(std::uint16_t number) { return raw(htons(number)); }

bytes tuple(std::uint8_t protocol, const char* from, std::uint16_t from_port, const char* to, std::uint16_t to_port) {
  return attribute(CTA_TUPLE_IP | NLA_F_NESTED,
                   attribute(CTA_IP_V4_SRC, ipv4(from)) + attribute(CTA_IP_V4_DST, ipv4(to))) +
         attribute(CTA_TUPLE_PROTO | NLA_F_NESTED, attribute(CTA_PROTO_NUM, raw(protocol)) +
                                                       attribute(CTA_PROTO_SRC_PORT, port(from_port)) +
                                                       attribute(CTA_PROTO_DST_PORT, port(to_port)));
}

bytes message(int type, const bytes& attributes) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + sizeof(nfgenmsg) + attributes.size());
  header.nlmsg_type = static_cast<std::uint16_t>(type);
  return raw(header) + raw(nfgenmsg{}) + attributes;
}

constexpr int flow_message = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW;

bytes udp_message() {
  return message(
      flow_message,
      attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, tuple(IPPROTO_UDP, "192.168.143.2", 4000, "192.168.143.1", 53)) +
          attribute(CTA_TUPLE_REPLY | NLA_F_NESTED, tuple(IPPROTO_UDP, "172.17.0.2", 53, "192.168.143.2", 4000)));
}

TEST(conntrack_codec, finds_udp_flows_as_the_client_sees_them) {
  const auto tcp = message(flow_message, attribute(CTA_TUPLE_ORIG, tuple(IPPROTO_TCP, "10.0.0.1", 1, "10.0.0.2", 2)));
  const auto found = parse_flow_dump(tcp + udp_message());
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(net::to_string(found[0].source), "192.168.143.2:4000");
  EXPECT_EQ(net::to_string(found[0].destination), "192.168.143.1:53");
}

TEST(conntrack_codec, a_deletion_names_the_flow_as_the_kernel_did) {
  const auto flow = parse_flow_dump(udp_message()).at(0);
  const auto request = flow_delete_request(flow);
  for_each_message(request, [&](const nlmsghdr& header, bytes_view body) {
    EXPECT_EQ(header.nlmsg_type, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE);
    bytes attributes(body.begin() + sizeof(nfgenmsg), body.end());
    EXPECT_EQ(attributes,
              attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, tuple(IPPROTO_UDP, "192.168.143.2", 4000, "192.168.143.1", 53)));
  });
}

TEST(conntrack_codec, is_total) {
  const auto whole = udp_message();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    EXPECT_THAT(parse_flow_dump(std::span(whole).first(cut)), IsEmpty());
    for (const int flip : {0x00, 0x01, 0x7f, 0xff}) {
      auto broken = whole;
      broken[cut] = static_cast<std::byte>(flip);
      EXPECT_LE(parse_flow_dump(broken).size(), 1U);
    }
  }
}

}  // namespace
}  // namespace netlink
