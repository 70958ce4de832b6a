#include "kernel/netfilter/nft_removal.hpp"

#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "kernel/netfilter/nft_removal_codec.hpp"
#include "kernel/netlink/socket.hpp"

namespace netfilter {
namespace {

constexpr std::size_t rules_at_once = 1'000;
constexpr int request_bytes = 1 << 20;
constexpr std::chrono::seconds patience{2};

}  // namespace

base::result<pid_t> remove_nft_rules(std::string_view table, std::span<const rule_place> rules) {
  auto kernel = netlink::socket::open(NETLINK_NETFILTER);
  if (!kernel) return std::unexpected(kernel.error());
  kernel->reserve_for_requests(request_bytes);
  while (!rules.empty()) {
    const auto now = rules.first(std::min(rules.size(), rules_at_once));
    const netlink::question removal{.request = removal_request(table, now),
                                    .name = "removal of nftables rules",
                                    .deadline = std::chrono::steady_clock::now() + patience};
    if (auto done = kernel->transact(removal, static_cast<std::uint32_t>(now.size())); !done)
      return std::unexpected(done.error());
    rules = rules.subspan(now.size());
  }
  return ::gettid();
}

}  // namespace netfilter
