// guard_codec: the messages that add and remove a guard's table in nftables. It has one chain. At the hook `forward` or
// `output`, after nat and before the filter tables, one rule refuses connections to an endpoint. At the hook
// `prerouting`, before raw, a rule for each device drops packets for loopback addresses. Pure.
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

// The packets to refuse.
enum class guarded : std::uint8_t { forwarded, other_users, for_loopback };

struct guard_rule {
  std::string table;
  std::string comment;
  net::endpoint refused{};  // TCP; unused for for_loopback
  guarded whose = guarded::forwarded;
  std::uint32_t user = 0;              // for other_users: this user may connect, as root may
  std::vector<std::string> devices{};  // for for_loopback: the incoming devices, one at least

  [[nodiscard]] std::string_view chain() const;
  [[nodiscard]] family which() const;
  // One for each rule, in order: "TAG:localnet eth0", "TAG:localnet veth0".
  [[nodiscard]] std::vector<std::string> comments() const;
};

// One transaction that replaces the table. The kernel acknowledges its last message, or rejects all of it.
[[nodiscard]] std::vector<std::byte> guard_request(const guard_rule& rule, refusal how);
// Removes the table. Fails with ENOENT if there is none.
[[nodiscard]] std::vector<std::byte> guard_removal_request(const guard_rule& rule);
// The number of the message that the kernel acknowledges.
inline constexpr std::uint32_t guard_acknowledged = 1;

}  // namespace netfilter
