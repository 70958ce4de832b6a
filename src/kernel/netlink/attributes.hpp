// Netlink's framing: messages in a datagram, attributes in a message, nested attributes in an attribute. Each is
// visited with its body; a truncated one, or one with an invalid length, ends the visit. Pure.
#pragma once

#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

namespace netlink {

using bytes_view = std::span<const std::byte>;

template <class T>
[[nodiscard]] std::optional<T> read(bytes_view bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// Everything after the first `size` bytes, which are padded to a multiple of four.
[[nodiscard]] inline bytes_view behind(bytes_view bytes, std::size_t size) {
  return bytes.subspan(std::min(bytes.size(), (size + 3) & ~std::size_t{3}));
}

// visit(nlmsghdr, body)
template <class Visit>
void for_each_message(bytes_view datagram, Visit&& visit) {
  while (const auto header = read<nlmsghdr>(datagram)) {
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) return;
    visit(*header, datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr)));
    datagram = behind(datagram, header->nlmsg_len);
  }
}

// visit(type, value, whole attribute with its header)
template <class Visit>
void for_each_attribute(bytes_view bytes, Visit&& visit) {
  while (const auto header = read<nlattr>(bytes)) {
    if (header->nla_len < sizeof(nlattr) || header->nla_len > bytes.size()) return;
    const auto whole = bytes.first(header->nla_len);
    visit(header->nla_type & NLA_TYPE_MASK, whole.subspan(sizeof(nlattr)), whole);
    bytes = behind(bytes, header->nla_len);
  }
}

}  // namespace netlink
