// nft_removal: removes single rules from nftables, in which iptables-nft keeps its rules too. The kernel finds each by
// its handle at once; iptables-nft compares it with every rule of its chain.
#pragma once

#include <sys/types.h>

#include <span>
#include <string_view>

#include "base/result.hpp"
#include "kernel/netfilter/nft_removal_codec.hpp"

namespace netfilter {

// Removes a thousand rules at a time, all or none of them; rules that were removed before a failure stay removed. Fails
// with no_such_file_or_directory if a rule does not exist. Runs in the calling thread's network namespace. Returns that
// thread, under which nft_generation reports the change. Waits two seconds at most for each thousand rules.
[[nodiscard]] base::result<pid_t> remove_nft_rules(std::string_view table, std::span<const rule_place> rules);

}  // namespace netfilter
