#include "sinks/loopback/api_guard.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "async/change_within.hpp"
#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "kernel/netlink/change_watch.hpp"
#include "net/address.hpp"
#include "net/cidr.hpp"
#include "net/endpoint.hpp"
#include "os/resolve.hpp"
#include "sinks/loopback/machine_state.hpp"

namespace loopback {
namespace {

constexpr std::chrono::seconds resync{30};
constexpr std::chrono::seconds resolve_limit{2};

}  // namespace

api_guard::api_guard(const async::executor& where, std::optional<guarded_server> api, const rule_options& rules,
                     const std::vector<netfilter::nat_programs>& programs)
    : api_(std::move(api)),
      rules_(rules),
      guard_(rules.tag, rules.tag + ":api", programs),
      failure_("loopback", "cannot keep forwarded packets from host-switch's API"),
      turns_(where) {
  if (!api_) return;
  if (const auto address = net::address::parse(api_->host)) found_ = {*address, api_->port};
  auto watch = netlink::change_watch::open(where, {.addresses = false});
  if (watch) watch_.emplace(std::move(*watch));
}

// host-switch has the first address of the tap's network.
net::endpoint api_guard::guess(std::uint16_t port) const {
  net::cidr network(rules_.tap, usual_prefix);
  if (const auto machine = read_machine(rules_)) {
    const auto tap = std::ranges::find(machine->peers, rules_.tap, &peer_interface::address);
    if (tap != machine->peers.end()) network = tap->network;
  }
  return {network.at(1).value_or(rules_.tap), port};
}

// True if the name has a new address. If the name cannot be resolved, the old address stays.
async::task<bool> api_guard::resolve() {
  if (!api_ || async::clock::now() < resolve_again_) co_return false;
  const auto resolved = co_await async::within(resolve_limit, os::resolve(api_->host, api_->port));
  resolve_again_ = async::clock::now() + resync;
  if (!resolved || found_ == resolved->front()) co_return false;
  found_ = resolved->front();
  co_return true;
}

async::task<> api_guard::ensure() {
  const auto mine = co_await turns_.take();
  if (!api_ || removed_) co_return;
  const auto at = found_.value_or(guess(api_->port));
  base::result<> settled;
  if (at.ip.is_loopback())
    settled = co_await guard_.remove();
  else
    settled = co_await guard_.ensure(at);
  failure_.note(settled);
}

// The name is resolved here and not in ensure(): slow name servers delay no port.
async::task<> api_guard::keep() {
  while (true) {
    if (co_await resolve()) co_await ensure();
    co_await async::change_within(resync, watch_);
    co_await ensure();
  }
}

async::task<> api_guard::remove() {
  removed_ = true;
  const auto mine = co_await turns_.take();
  if (!api_) co_return;
  const auto removed = co_await guard_.remove();
  failure_.note(removed);
}

}  // namespace loopback
