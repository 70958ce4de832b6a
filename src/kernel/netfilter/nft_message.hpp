// Builds messages of nfnetlink's subsystem nftables, one after the other in a buffer. Pure.
#pragma once

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "kernel/netlink/attributes.hpp"

namespace netfilter {

[[nodiscard]] constexpr std::uint16_t message_type(int what) {
  return static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | what);
}

// The value, padded with zeros to `size`.
inline void append(std::vector<std::byte>& to, std::uint16_t type, netlink::bytes_view value, std::size_t size) {
  const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + size), type};
  const auto at = to.size();
  to.resize((at + head.nla_len + 3) & ~std::size_t{3});
  std::memcpy(to.data() + at, &head, sizeof head);
  if (!value.empty()) std::memcpy(to.data() + at + sizeof head, value.data(), value.size());
}
inline void append_text(std::vector<std::byte>& to, std::uint16_t type, std::string_view text) {
  append(to, type, std::as_bytes(std::span(text)), text.size() + 1);
}
inline void append_number(std::vector<std::byte>& to, std::uint16_t type, std::uint32_t number) {
  const auto wire = htonl(number);
  append(to, type, std::as_bytes(std::span(&wire, 1)), sizeof wire);
}

// Returns where the message begins; end_message() fills in the length.
[[nodiscard]] inline std::size_t begin_message(std::vector<std::byte>& to, std::uint16_t type, unsigned flags,
                                               std::uint32_t sequence, nfgenmsg generic) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = sequence;
  const auto at = to.size();
  to.resize(at + sizeof header + sizeof generic);
  std::memcpy(to.data() + at, &header, sizeof header);
  std::memcpy(to.data() + at + sizeof header, &generic, sizeof generic);
  return at;
}
inline void end_message(std::vector<std::byte>& to, std::size_t begin) {
  const auto length = static_cast<std::uint32_t>(to.size() - begin);
  std::memcpy(to.data() + begin + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

// The messages that `fill(buffer)` appends, as one transaction: the kernel does all that they say, or nothing.
template <class Fill>
[[nodiscard]] std::vector<std::byte> in_transaction(Fill&& fill) {
  const nfgenmsg whole{AF_UNSPEC, 0, htons(NFNL_SUBSYS_NFTABLES)};
  std::vector<std::byte> made;
  end_message(made, begin_message(made, NFNL_MSG_BATCH_BEGIN, 0, 0, whole));
  fill(made);
  end_message(made, begin_message(made, NFNL_MSG_BATCH_END, 0, 0, whole));
  return made;
}

// A nest is an attribute whose length is known when its content is complete.
[[nodiscard]] inline std::size_t begin_nest(std::vector<std::byte>& to, std::uint16_t type) {
  const auto at = to.size();
  append(to, static_cast<std::uint16_t>(type | NLA_F_NESTED), {}, 0);
  return at;
}
inline void end_nest(std::vector<std::byte>& to, std::size_t begin) {
  const auto length = static_cast<std::uint16_t>(to.size() - begin);
  std::memcpy(to.data() + begin + offsetof(nlattr, nla_len), &length, sizeof length);
}

}  // namespace netfilter
