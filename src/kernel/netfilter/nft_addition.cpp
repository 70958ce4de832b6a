#include "kernel/netfilter/nft_addition.hpp"

#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/netlink/socket.hpp"

namespace netfilter {
namespace {

constexpr std::size_t smallest_buffer = 1 << 20, largest_buffer = 64 << 20;
constexpr std::chrono::seconds patience{2};

}  // namespace

base::result<pid_t> add_nft_rules(std::vector<std::byte> request, std::size_t lines) {
  auto kernel = netlink::socket::open(NETLINK_NETFILTER);
  if (!kernel) return std::unexpected(kernel.error());
  kernel->reserve_for_requests(static_cast<int>(std::clamp(request.size(), smallest_buffer, largest_buffer)));
  const netlink::question addition{.request = std::move(request),
                                   .name = "addition of nftables rules",
                                   .deadline = std::chrono::steady_clock::now() + patience};
  if (auto done = kernel->transact(addition, static_cast<std::uint32_t>(lines)); !done)
    return std::unexpected(done.error());
  return ::gettid();
}

bool is_nothing_added(const base::error& e) {
  static constexpr std::array unknown{std::errc::timed_out, std::errc::no_buffer_space, std::errc::protocol_error,
                                      std::errc::operation_in_progress};
  return std::ranges::none_of(unknown, [&e](std::errc one) { return e.code == one; });
}

}  // namespace netfilter
