#include "kernel/netfilter/localnet_guard.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/endpoint_guard.hpp"
#include "kernel/netfilter/guard_codec.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/legacy_guard.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "kernel/netfilter/nft_reader.hpp"

namespace netfilter {
namespace {

endpoint_guard guard_for(const std::string& tag, const std::string& comment, const std::set<std::string>& devices) {
  return endpoint_guard({.table = tag + "-localnet",
                         .comment = comment,
                         .whose = guarded::for_loopback,
                         .devices = {devices.begin(), devices.end()}});
}

}  // namespace

localnet_guard::localnet_guard(std::string tag, const std::vector<nat_programs>& programs)
    : tag_(std::move(tag)), comment_(tag_ + ":localnet") {
  for (const auto& one : programs)
    if (one.variant != nat_variant::nft) legacy_.emplace(one);
}

std::vector<rule_spec> localnet_guard::legacy_rules(const std::set<std::string>& devices) const {
  std::vector<rule_spec> made;
  for (const auto& device : devices)
    made.push_back(
        {"PREROUTING",
         {"-d", "127.0.0.0/8", "-i", device, "-m", "comment", "--comment", comment_ + ' ' + device, "-j", "DROP"}});
  return made;
}

async::task<base::result<>> localnet_guard::settle_legacy(const nat_tool& legacy, std::vector<rule_spec> wanted) const {
  return settle_legacy_guard(legacy, {"raw", "PREROUTING", comment_}, std::move(wanted));
}

async::task<base::result<>> localnet_guard::ensure(std::set<std::string> devices) {
  in_nftables_.clear();
  auto up = guard_for(tag_, comment_, devices).ensure();
  if (!up && legacy_) co_return co_await settle_legacy(*legacy_, legacy_rules(devices));
  if (up) in_nftables_ = std::move(devices);
  co_return up;
}

async::task<base::result<>> localnet_guard::remove() {
  in_nftables_.clear();
  auto removed = guard_for(tag_, comment_, {}).remove();
  if (!removed && is_without_nftables(removed.error())) removed = {};
  base::result<> settled;
  if (legacy_) settled = co_await settle_legacy(*legacy_, {});
  co_return removed ? settled : removed;
}

void localnet_guard::heal() const {
  if (!holds()) static_cast<void>(guard_for(tag_, comment_, in_nftables_).ensure());
}

bool localnet_guard::holds() const {
  return in_nftables_.empty() || guard_for(tag_, comment_, in_nftables_).is_up().value_or(false);
}

}  // namespace netfilter
