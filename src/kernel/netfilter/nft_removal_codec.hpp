// nft_removal_codec: the transaction that removes single rules from an nftables table by handle. Pure.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace netfilter {

// Where a rule is. The handle is the kernel's number for it; no other rule of the table ever gets the same one.
struct rule_place {
  std::string chain;
  std::uint64_t handle = 0;

  auto operator<=>(const rule_place&) const = default;
};

// One transaction that removes all of these rules from a table (IPv4), or none if one of them does not exist. The
// kernel acknowledges the last rule's message, whose sequence number is the number of rules.
[[nodiscard]] std::vector<std::byte> removal_request(std::string_view table, std::span<const rule_place> rules);

}  // namespace netfilter
