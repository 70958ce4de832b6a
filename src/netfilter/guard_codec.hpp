// guard_codec: the messages by which a table of this program's own comes to be in nftables and goes: one chain at the
// hook `forward`, ahead of the chains of filter tables, and in it one rule that refuses connections to an endpoint.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/endpoint.hpp"

namespace netfilter {

inline constexpr std::string_view guard_chain = "forward";

enum class refusal : std::uint8_t { reset, drop };  // drop: for a kernel without nft_reject

struct guard_rule {
  std::string table;
  std::string comment;
  net::endpoint refused;  // IPv4, TCP
};

// One transaction: the table as it has to be, whatever was in it. The kernel acknowledges the last message of it, or
// refuses all.
[[nodiscard]] std::vector<std::byte> guard_request(const guard_rule& rule, refusal how);
// Takes the table out. Fails with ENOENT where there is none.
[[nodiscard]] std::vector<std::byte> guard_removal_request(std::string_view table);
// The number of the message that the kernel acknowledges.
inline constexpr std::uint32_t guard_acknowledged = 1;

}  // namespace netfilter
