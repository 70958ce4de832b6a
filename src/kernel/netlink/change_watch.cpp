#include "kernel/netlink/change_watch.hpp"

#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <span>

#include "kernel/netlink/nft_generation.hpp"

namespace netlink {
namespace {

constexpr std::size_t most_ignored = 64;

base::unique_fd subscribe(int protocol, unsigned group) {
  base::unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  self.nl_groups = 1U << (group - 1);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) return {};
  return fd;
}

// Only the one message at the end of a change: a thousand new rules must neither wake us a thousand times nor overrun
// the socket. The filter sees the message's type, at offset 4, in network order.
bool keep_generations_only(int fd) {
  constexpr auto type = static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN);
  std::array<sock_filter, 4> code{{
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, 4},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint16_t>((type << 8) | (type >> 8))},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  }};
  const sock_fprog program{code.size(), code.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

void add_to(int epoll, const base::unique_fd& fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (fd) ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd.get(), &event);
}

using buffer = std::array<std::byte, 8192>;

// One datagram; empty at the end of them, and an overrun queue counts as a datagram that says nothing.
std::optional<std::span<const std::byte>> receive(int fd, buffer& into) {
  const auto got = ::recv(fd, into.data(), into.size(), 0);
  if (got >= 0) return std::span(into).first(static_cast<std::size_t>(got));
  return errno == ENOBUFS ? std::optional(std::span<const std::byte>{}) : std::nullopt;
}

}  // namespace

base::result<change_watch> change_watch::open(const async::executor& where, watch_options options) {
  auto rules = subscribe(NETLINK_NETFILTER, NFNLGRP_NFTABLES);
  if (rules && !keep_generations_only(rules.get())) rules.reset();
  auto addresses = options.addresses ? subscribe(NETLINK_ROUTE, RTNLGRP_IPV4_IFADDR) : base::unique_fd{};
  if (!rules && !addresses) return base::fail_errno("netlink subscription");
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return base::fail_errno("epoll_create1");
  add_to(epoll, rules);
  add_to(epoll, addresses);
  return change_watch(where, epoll, std::move(rules), std::move(addresses), options.gathering);
}

change_watch::change_watch(const async::executor& where, int epoll, base::unique_fd rules, base::unique_fd addresses,
                           std::chrono::milliseconds gathering)
    : either_(where, epoll), rules_(std::move(rules)), addresses_(std::move(addresses)), gathering_(gathering) {}

void change_watch::ignore(pid_t process) {
  if (ignored_.size() == most_ignored) ignored_.pop_front();
  ignored_.push_back(process);
}

bool change_watch::read_rules() {
  bool news = false;
  buffer bytes;
  while (const auto datagram = rules_ ? receive(rules_.get(), bytes) : std::nullopt) {
    const auto generations = parse_nft_generations(*datagram);
    news = news || generations.empty();
    for (const auto& g : generations)
      news = news || std::ranges::find(ignored_, static_cast<pid_t>(g.process)) == ignored_.end();
  }
  return news;
}

bool change_watch::read_addresses() {
  bool news = false;
  buffer bytes;
  while (addresses_ && receive(addresses_.get(), bytes)) news = true;
  return news;
}

async::task<> change_watch::changed() {
  while (true) {
    co_await either_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
    co_await async::sleep_for(gathering_);
    const bool rules = read_rules();
    const bool addresses = read_addresses();
    if (rules || addresses) co_return;
  }
}

}  // namespace netlink
