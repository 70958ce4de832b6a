#include "kernel/netlink/conntrack_codec.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "kernel/netlink/attributes.hpp"
#include "net/endpoint.hpp"

namespace netlink {
namespace {

constexpr std::uint16_t message_type(int what) {
  return static_cast<std::uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | what);
}

struct tuple {
  net::endpoint source, destination;
  std::uint8_t protocol = 0;
};

std::uint16_t port(bytes_view value) { return ntohs(read<std::uint16_t>(value).value_or(0)); }

tuple parse_tuple(bytes_view bytes) {
  tuple found;
  const auto take_address = [&found](int type, bytes_view value, bytes_view) {
    if (value.size() != 4) return;
    if (type == CTA_IP_V4_SRC) found.source.ip = net::address::v4(value.data());
    if (type == CTA_IP_V4_DST) found.destination.ip = net::address::v4(value.data());
  };
  const auto take_ports = [&found](int type, bytes_view value, bytes_view) {
    if (type == CTA_PROTO_NUM) found.protocol = read<std::uint8_t>(value).value_or(0);
    if (type == CTA_PROTO_SRC_PORT) found.source.port = port(value);
    if (type == CTA_PROTO_DST_PORT) found.destination.port = port(value);
  };
  for_each_attribute(bytes, [&](int type, bytes_view value, bytes_view) {
    if (type == CTA_TUPLE_IP) for_each_attribute(value, take_address);
    if (type == CTA_TUPLE_PROTO) for_each_attribute(value, take_ports);
  });
  return found;
}

void add(udp_flow& flow, bytes_view attribute) {
  flow.identity.insert(flow.identity.end(), attribute.begin(), attribute.end());
  flow.identity.resize((flow.identity.size() + 3) & ~std::size_t{3});
}

void parse_flow(bytes_view attributes, std::vector<udp_flow>& into) {
  udp_flow flow;
  bool udp = false;
  for_each_attribute(attributes, [&](int type, bytes_view value, bytes_view whole) {
    if (type != CTA_TUPLE_ORIG && type != CTA_ZONE) return;
    add(flow, whole);
    if (type == CTA_ZONE) return;
    const auto original = parse_tuple(value);
    udp = original.protocol == IPPROTO_UDP;
    flow.source = original.source;
    flow.destination = original.destination;
  });
  if (udp) into.push_back(std::move(flow));
}

std::vector<std::byte> request(int what, std::uint16_t flags, bytes_view attributes) {
  nlmsghdr header{};
  nfgenmsg family{};
  header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + sizeof family + attributes.size());
  header.nlmsg_type = message_type(what);
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  family.nfgen_family = AF_INET;
  std::vector<std::byte> made(header.nlmsg_len);
  std::memcpy(made.data(), &header, sizeof header);
  std::memcpy(made.data() + sizeof header, &family, sizeof family);
  std::ranges::copy(attributes, made.begin() + sizeof header + sizeof family);
  return made;
}

}  // namespace

std::vector<std::byte> flow_dump_request() { return request(IPCTNL_MSG_CT_GET, NLM_F_DUMP, {}); }

std::vector<std::byte> flow_delete_request(const udp_flow& flow) {
  return request(IPCTNL_MSG_CT_DELETE, 0, flow.identity);
}

std::vector<udp_flow> parse_flow_dump(std::span<const std::byte> datagram) {
  std::vector<udp_flow> found;
  for_each_message(datagram, [&found](const nlmsghdr& header, bytes_view body) {
    if (header.nlmsg_type == message_type(IPCTNL_MSG_CT_NEW) && body.size() >= sizeof(nfgenmsg))
      parse_flow(body.subspan(sizeof(nfgenmsg)), found);
  });
  return found;
}

}  // namespace netlink
