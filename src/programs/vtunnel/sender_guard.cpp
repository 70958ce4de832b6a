#include "programs/vtunnel/sender_guard.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <expected>
#include <limits>
#include <string>
#include <string_view>

#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/guard_codec.hpp"
#include "kernel/netlink/change_watch.hpp"
#include "kernel/netlink/socket_owner.hpp"
#include "net/endpoint.hpp"
#include "os/acceptor.hpp"
#include "relay/sockets.hpp"

namespace vtunnel {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view component = "vtunnel";
constexpr auto resync = 30s;
constexpr std::chrono::nanoseconds in_the_queue = 1s;  // a connection waits for less than that to be accepted
constexpr auto never = std::numeric_limits<std::int64_t>::max();

std::int64_t steady(std::chrono::nanoseconds from_now = 0ns) {
  return (std::chrono::steady_clock::now().time_since_epoch() + from_now).count();
}

// One table an endpoint, with a name that nft can write.
netfilter::guard_rule rule_for(const net::endpoint& at) {
  auto table = "vtunnel_peer_" + net::to_string(at);
  std::ranges::replace_if(table, [](char c) { return c == '.' || c == ':' || c == '[' || c == ']'; }, '_');
  const auto user = static_cast<std::uint32_t>(::geteuid());
  return {table, fmt::format("vtunnel-peer:user={}", user), at, netfilter::guarded::other_users, user};
}

}  // namespace

sender_guard::sender_guard(const net::endpoint& at)
    : at_(at),
      rule_(rule_for(at)),
      trusted_from_(never),
      trouble_(std::string(component),
               "no rule for senders, those that close at once are refused at=" + net::to_string(at)) {}

sender_guard::~sender_guard() {
  if (!at_.ip.is_unspecified()) static_cast<void>(rule_.remove());
}

// Whether the rule had to be added, and is up now. While another program has removed it, closed clients are refused.
bool sender_guard::ensure() {
  if (at_.ip.is_unspecified()) {
    trouble_.note(base::fail("a rule needs one address"));
    return false;
  }
  const auto up = rule_.is_up();
  if (up && *up) {
    trouble_.note({});
    return trusted_from_.load() == never;
  }
  trusted_from_ = never;
  const auto made = up ? rule_.ensure() : base::result<>(std::unexpected(up.error()));
  trouble_.note(made);
  return made.has_value();
}

void sender_guard::stand_before(int listening) {
  if (!ensure()) return;
  while (true) {
    const auto early = os::accept_pending(listening);
    if (!early) break;
    relay::reset_on_close(early->get());
  }
  trusted_from_ = steady();
}

async::task<> sender_guard::keep() {
  auto watch = netlink::change_watch::open(co_await async::asio::this_coro::executor, {.addresses = false});
  while (true) {
    if (watch)
      static_cast<void>(co_await async::within(resync, watch->changed()));
    else
      co_await async::sleep_for(resync);
    if (ensure()) trusted_from_ = steady(in_the_queue);
  }
}

// A loopback address has no clients on other machines. The last check notices a rule that is gone.
bool sender_guard::admits(int client) const {
  const auto kind = netlink::kind_of_client(client);
  if (kind == netlink::client_kind::own) return true;
  const bool from_here =
      kind == netlink::client_kind::closed || (kind == netlink::client_kind::unknown && at_.ip.is_loopback());
  if (!from_here || steady() < trusted_from_) return false;
  const auto up = rule_.is_up();
  return up && *up;
}

}  // namespace vtunnel
