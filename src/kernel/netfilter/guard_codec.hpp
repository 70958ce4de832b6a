// guard_codec: the messages by which a table of this program's own comes to be in nftables and goes: one chain, and in
// it rules that refuse packets. At the hook `forward` or `output`, ahead of the chains of filter tables and behind
// those of nat, one rule refuses connections to an endpoint. At the hook `prerouting`, ahead of raw, a rule for each
// device drops what comes in by it for a loopback address. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netfilter/nat_rule.hpp"
#include "net/endpoint.hpp"

namespace netfilter {

enum class refusal : std::uint8_t { reset, drop };  // drop: for a kernel without nft_reject

// Whose packets are refused.
enum class guarded : std::uint8_t { forwarded, other_users, for_loopback };

struct guard_rule {
  std::string table;
  std::string comment;
  net::endpoint refused{};  // TCP; of for_loopback: not looked at
  guarded whose = guarded::forwarded;
  std::uint32_t user = 0;              // of other_users: this one may connect, as root may
  std::vector<std::string> devices{};  // of for_loopback: by which the packets come in, one at least

  [[nodiscard]] std::string_view chain() const;
  [[nodiscard]] family which() const;
  // Of the rules, in their order: "TAG:localnet eth0", "TAG:localnet veth0".
  [[nodiscard]] std::vector<std::string> comments() const;
};

// One transaction: the table as it has to be, whatever was in it. The kernel acknowledges the last message of it, or
// refuses all.
[[nodiscard]] std::vector<std::byte> guard_request(const guard_rule& rule, refusal how);
// Takes the table out. Fails with ENOENT where there is none.
[[nodiscard]] std::vector<std::byte> guard_removal_request(const guard_rule& rule);
// The number of the message that the kernel acknowledges.
inline constexpr std::uint32_t guard_acknowledged = 1;

}  // namespace netfilter
