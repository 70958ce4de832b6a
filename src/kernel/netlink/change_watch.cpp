#include "kernel/netlink/change_watch.hpp"

#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netlink/nft_generation.hpp"
#include "kernel/netlink/socket.hpp"

namespace netlink {
namespace {

constexpr std::size_t most_ignored = 64;

// Only the one message at the end of a change: a thousand new rules must neither wake us a thousand times nor overrun
// the socket. The filter sees the message's type, at offset 4, in network order.
std::array<sock_filter, 4> generations_only() {
  constexpr auto type = static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN);
  return {{
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, 4},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint16_t>((type << 8) | (type >> 8))},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  }};
}

base::result<socket> watch_rules() {
  const auto filter = generations_only();
  return socket::open(NETLINK_NETFILTER, {.groups = {NFNLGRP_NFTABLES}, .filter = filter});
}

base::result<socket> watch_addresses(bool ipv6) {
  std::vector<unsigned> groups{RTNLGRP_IPV4_IFADDR};
  if (ipv6) groups.push_back(RTNLGRP_IPV6_IFADDR);
  return socket::open(NETLINK_ROUTE, {.groups = std::move(groups)});
}

void add_to(int epoll, const std::optional<socket>& kernel) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (kernel) ::epoll_ctl(epoll, EPOLL_CTL_ADD, kernel->fd(), &event);
}

}  // namespace

base::result<change_watch> change_watch::open(const async::executor& where, watch_options options) {
  std::optional<socket> rules, addresses;
  base::error why;
  const auto keep = [&why](base::result<socket> opened, std::optional<socket>& into) {
    if (opened)
      into.emplace(std::move(*opened));
    else
      why = opened.error();
  };
  if (options.rules) keep(watch_rules(), rules);
  if (options.addresses) keep(watch_addresses(options.ipv6), addresses);
  if (!rules && !addresses) return std::unexpected(why);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return base::fail_errno("epoll_create1");
  add_to(epoll, rules);
  add_to(epoll, addresses);
  return change_watch(where, epoll, std::move(rules), std::move(addresses), options.gathering);
}

change_watch::change_watch(const async::executor& where, int epoll, std::optional<socket> rules,
                           std::optional<socket> addresses, std::chrono::milliseconds gathering)
    : either_(where, epoll), rules_(std::move(rules)), addresses_(std::move(addresses)), gathering_(gathering) {}

void change_watch::ignore(pid_t process) {
  if (ignored_.size() == most_ignored) ignored_.pop_front();
  ignored_.push_back(process);
}

bool change_watch::read_rules() {
  bool news = false;
  std::array<std::byte, 8192> bytes;
  while (const auto datagram = rules_ ? rules_->next_notice(bytes) : std::nullopt) {
    const auto generations = parse_nft_generations(*datagram);
    news = news || generations.empty();
    for (const auto& g : generations)
      news = news || std::ranges::find(ignored_, static_cast<pid_t>(g.process)) == ignored_.end();
  }
  return news;
}

async::task<> change_watch::changed() {
  while (true) {
    co_await either_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
    co_await async::sleep_for(gathering_);
    const bool rules = read_rules();
    const bool addresses = addresses_ && addresses_->discard_notices();
    if (rules || addresses) co_return;
  }
}

}  // namespace netlink
