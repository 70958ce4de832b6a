#include "kernel/netlink/link_codec.hpp"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/netlink/attributes.hpp"
#include "net/address.hpp"

namespace netlink {
namespace {

template <class T>
bytes_view bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

// One request under construction.
class message {
 public:
  template <class Head>
  message(int type, unsigned flags, const Head& head) {
    nlmsghdr header{};
    header.nlmsg_type = static_cast<std::uint16_t>(type);
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header.nlmsg_seq = request_sequence;
    append(bytes_of(header));
    append(bytes_of(head));
  }
  void add(int type, bytes_view value) {
    const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), static_cast<std::uint16_t>(type)};
    append(bytes_of(head));
    append(value);
  }
  void add_text(int type, std::string_view text) {
    std::string with_end(text);
    add(type, std::as_bytes(std::span(with_end.c_str(), with_end.size() + 1)));
  }
  [[nodiscard]] std::size_t begin_nest(int type) {
    const auto at = bytes_.size();
    add(type, {});
    return at;
  }
  void end_nest(std::size_t at) {
    const auto length = static_cast<std::uint16_t>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at, &length, sizeof length);
  }
  // A structure within a nest.
  void append(bytes_view value) {
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
  }
  [[nodiscard]] request finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    return std::move(bytes_);
  }

 private:
  request bytes_;
};

ifinfomsg head_of(unsigned index) {
  ifinfomsg head{};
  head.ifi_family = AF_UNSPEC;
  head.ifi_index = static_cast<int>(index);
  return head;
}

std::string text_in(bytes_view value) {
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  return std::string(text.substr(0, text.find('\0')));
}

}  // namespace

request get_interface_request(std::string_view name) {
  message m(RTM_GETLINK, 0, head_of(0));
  m.add_text(IFLA_IFNAME, name);
  return m.finish();
}

request change_interface_request(unsigned index, const interface_change& change) {
  auto head = head_of(index);
  if (change.up) {
    head.ifi_change = IFF_UP;
    head.ifi_flags = *change.up ? IFF_UP : 0U;
  }
  message m(RTM_NEWLINK, NLM_F_ACK, head);
  if (change.mac) m.add(IFLA_ADDRESS, std::as_bytes(std::span(change.mac->bytes)));
  if (change.mtu) m.add(IFLA_MTU, bytes_of(*change.mtu));
  if (change.queue_length) m.add(IFLA_TXQLEN, bytes_of(*change.queue_length));
  return m.finish();
}

request remove_interface_request(unsigned index) { return message(RTM_DELLINK, NLM_F_ACK, head_of(index)).finish(); }

request add_veth_request(std::string_view name, std::string_view peer, int peer_namespace) {
  message m(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, head_of(0));
  m.add_text(IFLA_IFNAME, name);
  const auto info = m.begin_nest(IFLA_LINKINFO);
  m.add_text(IFLA_INFO_KIND, "veth");
  const auto data = m.begin_nest(IFLA_INFO_DATA);
  const auto other = m.begin_nest(VETH_INFO_PEER);
  m.append(bytes_of(head_of(0)));
  m.add_text(IFLA_IFNAME, peer);
  m.add(IFLA_NET_NS_FD, bytes_of(peer_namespace));
  m.end_nest(other);
  m.end_nest(data);
  m.end_nest(info);
  return m.finish();
}

request add_address_request(unsigned index, const net::address& ip, unsigned prefix_length) {
  ifaddrmsg head{};
  head.ifa_family = AF_INET;
  head.ifa_prefixlen = static_cast<std::uint8_t>(prefix_length);
  head.ifa_index = index;
  message m(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, head);
  const auto bytes = std::as_bytes(std::span(ip.data(), 4));
  m.add(IFA_LOCAL, bytes);
  m.add(IFA_ADDRESS, bytes);
  return m.finish();
}

std::optional<interface_state> parse_interface(bytes_view datagram) {
  std::optional<interface_state> found;
  for_each_message(datagram, [&found](const nlmsghdr& header, bytes_view body) {
    const auto head = read<ifinfomsg>(body);
    if (header.nlmsg_type != RTM_NEWLINK || !head || found) return;
    found = interface_state{.index = static_cast<unsigned>(head->ifi_index), .name = {}, .mac = {}};
    found->up = (head->ifi_flags & IFF_UP) != 0;
    for_each_attribute(behind(body, sizeof(ifinfomsg)), [&found](int type, bytes_view value, bytes_view) {
      if (type == IFLA_IFNAME) found->name = text_in(value);
      if (type == IFLA_MTU) found->mtu = read<std::uint32_t>(value).value_or(0);
      if (type == IFLA_ADDRESS && value.size() == found->mac.bytes.size())
        std::memcpy(found->mac.bytes.data(), value.data(), value.size());
    });
  });
  return found;
}

}  // namespace netlink
