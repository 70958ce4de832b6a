#include "sinks/loopback/api_guard.hpp"

#include <algorithm>

#include "async/timeout.hpp"
#include "kernel/netfilter/legacy_guard.hpp"
#include "kernel/netfilter/nft_reader.hpp"
#include "os/resolve.hpp"
#include "sinks/loopback/machine_state.hpp"

namespace loopback {
namespace {

constexpr const char* component = "loopback";
constexpr std::chrono::seconds resync{30};
constexpr std::chrono::seconds patience{2};  // for name servers
constexpr unsigned usual_prefix = 24;

}  // namespace

api_guard::api_guard(const async::executor& where, std::optional<guarded_server> api, const rule_options& rules,
                     const std::vector<netfilter::nat_programs>& programs)
    : api_(std::move(api)),
      rules_(rules),
      comment_(rules.tag + ":api"),
      trouble_(component, "cannot keep forwarded packets from host-switch's API"),
      turns_(where) {
  for (const auto& one : programs)
    if (one.variant != netfilter::nat_variant::nft) legacy_.emplace(one);
  if (!api_) return;
  if (const auto address = net::address::parse(api_->host)) found_ = {*address, api_->port};
  auto watch = netlink::change_watch::open(where, {.addresses = false});
  if (watch) watch_.emplace(std::move(*watch));
}

// host-switch has the first address of the tap's network.
net::endpoint api_guard::guess() const {
  auto network = network_of(rules_.tap, usual_prefix);
  if (const auto machine = look_at_machine(rules_)) {
    const auto tap = std::ranges::find(machine->peers, rules_.tap, &peer_interface::address);
    if (tap != machine->peers.end()) network = tap->network;
  }
  return {first_address(network), api_->port};
}

// True if the name has another address than before. A name that is not found keeps the one it had.
async::task<bool> api_guard::look_up() {
  if (!api_ || async::clock::now() < look_again_) co_return false;
  const auto resolved = co_await async::within(patience, os::resolve(api_->host, api_->port));
  look_again_ = async::clock::now() + resync;
  if (!resolved || found_ == resolved->front()) co_return false;
  found_ = resolved->front();
  co_return true;
}

netfilter::endpoint_guard api_guard::guard_at(const net::endpoint& at) const {
  return netfilter::endpoint_guard({.table = rules_.tag, .comment = comment_, .refused = at});
}

async::task<base::result<>> api_guard::settle_legacy(std::vector<netfilter::rule_spec> rules) {
  return netfilter::settle_legacy_guard(*legacy_, {"filter", "FORWARD", comment_}, std::move(rules));
}

async::task<base::result<>> api_guard::ensure_at(net::endpoint at) {
  auto up = guard_at(at).ensure();
  const bool without = !up && netfilter::is_without_nftables(up.error());
  if (!without || !legacy_ || at.ip.is_v6()) co_return up;
  std::vector<netfilter::rule_spec> rules;
  rules.push_back({"FORWARD",
                   {"-d", at.ip.to_string() + "/32", "-p", "tcp", "-m", "tcp", "--dport", std::to_string(at.port), "-m",
                    "comment", "--comment", comment_, "-j", "REJECT", "--reject-with", "tcp-reset"}});
  co_return co_await settle_legacy(std::move(rules));
}

async::task<> api_guard::ensure() {
  const auto mine = co_await turns_.take();
  if (!api_ || removed_) co_return;
  const auto at = found_.value_or(guess());
  base::result<> settled;
  if (at.ip.is_loopback())
    settled = co_await remove_once();
  else
    settled = co_await ensure_at(at);
  trouble_.note(settled);
}

// The name is looked up here: slow name servers hold up no port.
async::task<> api_guard::keep() {
  while (true) {
    if (co_await look_up()) co_await ensure();
    if (watch_)
      static_cast<void>(co_await async::within(resync, watch_->changed()));
    else
      co_await async::sleep_for(resync);
    co_await ensure();
  }
}

async::task<base::result<>> api_guard::remove_once() {
  base::result<> result;
  for (const auto& any : {net::address::any_v4(), net::address::any_v6()}) {
    auto removed = guard_at({any, 0}).remove();
    const bool without = !removed && netfilter::is_without_nftables(removed.error());
    if (without && legacy_) co_return co_await settle_legacy({});
    if (!removed && result) result = std::move(removed);
  }
  co_return result;
}

async::task<> api_guard::remove() {
  removed_ = true;
  const auto mine = co_await turns_.take();
  if (!api_) co_return;
  const auto removed = co_await remove_once();
  trouble_.note(removed);
}

}  // namespace loopback
