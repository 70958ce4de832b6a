// nft_addition_codec: the transaction that does in nftables what lines of iptables-restore say, and leaves rules there
// that every version of iptables-nft lists and deletes as its own. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace netfilter {

// For a table (IPv4) that exists. The kernel acknowledges the last line's message, whose sequence number is the number
// of lines. A chain is created and not emptied: the kernel refuses the transaction with EEXIST if there is one.
//
// Nothing without a line, or if a line is not as read_new_chain() or read_appended_rule() understand it.
[[nodiscard]] std::optional<std::vector<std::byte>> addition_request(std::string_view table,
                                                                     std::span<const std::string> lines);

}  // namespace netfilter
