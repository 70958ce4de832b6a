// nft_addition: adds chains and rules of iptables-nft without its programs. They would fork, set up each rule's matches
// anew, and list the table first.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "base/result.hpp"

namespace netfilter {

// Sends an addition_request() of so many lines. Runs in the calling thread's network namespace. Returns that thread,
// under which nft_generation reports the change. Waits two seconds at most.
[[nodiscard]] base::result<pid_t> add_nft_rules(std::vector<std::byte> request, std::size_t lines);

// Whether the kernel certainly did nothing: it refused, or never got the request. Otherwise it may have done it, or
// still do it.
[[nodiscard]] bool is_nothing_added(const base::error& e);

}  // namespace netfilter
