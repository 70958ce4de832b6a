// nft_removal: takes single rules out of nftables, in which iptables-nft keeps its own too. The kernel finds each by
// its number, at once, where iptables-nft compares it with every rule of its chain.
#pragma once

#include <sys/types.h>

#include <span>
#include <string_view>

#include "base/result.hpp"
#include "kernel/netfilter/nft_codec.hpp"

namespace netfilter {

// Some hundred rules at a time, each time all or none; what was taken out before a failure stays out. Fails with
// no_such_file_or_directory where a rule is not there. Answers who did it, as nft_generation calls it: the calling
// thread, in whose network namespace it is done. Waits for the kernel, two seconds at most for each thousand rules.
[[nodiscard]] base::result<pid_t> remove_nft_rules(std::string_view table, std::span<const rule_place> rules);

}  // namespace netfilter
