// guard_codec: the messages by which a table of this program's own comes to be in nftables and goes: one chain at the
// hook `forward` or `output`, ahead of the chains of filter tables and behind those of nat, and in it one rule that
// refuses connections to an endpoint. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/endpoint.hpp"
#include "netfilter/nat_rule.hpp"

namespace netfilter {

enum class refusal : std::uint8_t { reset, drop };  // drop: for a kernel without nft_reject

enum class guarded : std::uint8_t { forwarded, other_users };  // whose packets are refused

struct guard_rule {
  std::string table;
  std::string comment;
  net::endpoint refused;  // TCP
  guarded whose = guarded::forwarded;
  std::uint32_t user = 0;  // of other_users: this one may connect, as root may

  [[nodiscard]] std::string_view chain() const { return whose == guarded::forwarded ? "forward" : "output"; }
  [[nodiscard]] family which() const { return refused.ip.is_v4() ? family::ipv4 : family::ipv6; }
};

// One transaction: the table as it has to be, whatever was in it. The kernel acknowledges the last message of it, or
// refuses all.
[[nodiscard]] std::vector<std::byte> guard_request(const guard_rule& rule, refusal how);
// Takes the table out. Fails with ENOENT where there is none.
[[nodiscard]] std::vector<std::byte> guard_removal_request(const guard_rule& rule);
// The number of the message that the kernel acknowledges.
inline constexpr std::uint32_t guard_acknowledged = 1;

}  // namespace netfilter
