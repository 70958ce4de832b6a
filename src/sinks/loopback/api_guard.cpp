#include "sinks/loopback/api_guard.hpp"

#include "io/timeout.hpp"
#include "netfilter/nft_reader.hpp"
#include "sinks/loopback/legacy_guard.hpp"

namespace loopback {
namespace {

constexpr const char* component = "loopback";
constexpr std::chrono::seconds resync{30};

std::string comment_for(const std::string& tag) { return tag + ":api"; }

}  // namespace

api_guard::api_guard(const io::executor& where, std::optional<net::endpoint> api, const std::string& tag,
                     const std::vector<nat_programs>& programs)
    : api_(api),
      comment_(comment_for(tag)),
      guard_({tag, comment_for(tag), api.value_or(net::endpoint{})}),
      trouble_(component, "cannot keep forwarded packets from host-switch's API"),
      turns_(where) {
  for (const auto& one : programs)
    if (one.variant != nat_variant::nft) legacy_.emplace(one);
  if (!api_) return;
  auto watch = netlink::change_watch::open(where, {.addresses = false});
  if (watch) watch_.emplace(std::move(*watch));
}

rule api_guard::legacy_rule() const {
  return {"FORWARD",
          {"-d", api_->ip.to_string() + "/32", "-p", "tcp", "-m", "tcp", "--dport", std::to_string(api_->port), "-m",
           "comment", "--comment", comment_, "-j", "REJECT", "--reject-with", "tcp-reset"}};
}

io::task<base::result<>> api_guard::ensure_legacy(bool wanted) {
  std::vector<rule> rules;
  if (wanted) rules.push_back(legacy_rule());
  return settle_legacy_guard(*legacy_, {"filter", "FORWARD", comment_}, std::move(rules));
}

io::task<base::result<>> api_guard::ensure_once() {
  auto up = guard_.ensure();
  const bool without = !up && netfilter::is_without_nftables(up.error());
  if (without && legacy_) co_return co_await ensure_legacy(true);
  co_return up;
}

io::task<> api_guard::ensure() {
  const auto mine = co_await turns_.take();
  if (!api_ || removed_) co_return;
  const auto up = co_await ensure_once();
  trouble_.note(up);
}

io::task<> api_guard::keep() {
  while (true) {
    if (watch_)
      static_cast<void>(co_await io::within(resync, watch_->changed()));
    else
      co_await io::sleep_for(resync);
    co_await ensure();
  }
}

io::task<> api_guard::remove() {
  removed_ = true;
  const auto mine = co_await turns_.take();
  if (!api_) co_return;
  auto removed = guard_.remove();
  const bool without = !removed && netfilter::is_without_nftables(removed.error());
  if (without && legacy_) removed = co_await ensure_legacy(false);
  trouble_.note(removed);
}

}  // namespace loopback
