#include "kernel/netfilter/forward_guard.hpp"

#include <string>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/endpoint_guard.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/legacy_guard.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "kernel/netfilter/nft_reader.hpp"
#include "net/endpoint.hpp"

namespace netfilter {

forward_guard::forward_guard(std::string table, std::string comment, const std::vector<nat_programs>& programs)
    : table_(std::move(table)), comment_(std::move(comment)) {
  for (const auto& one : programs)
    if (one.variant != nat_variant::nft) legacy_.emplace(one);
}

endpoint_guard forward_guard::guard_at(const net::endpoint& at) const {
  return endpoint_guard({.table = table_, .comment = comment_, .refused = at});
}

async::task<base::result<>> forward_guard::settle_legacy(const nat_tool& legacy, std::vector<rule_spec> wanted) const {
  return settle_legacy_guard(legacy, {"filter", "FORWARD", comment_}, std::move(wanted));
}

async::task<base::result<>> forward_guard::ensure(net::endpoint at) {
  auto added = guard_at(at).ensure();
  const bool without = !added && is_without_nftables(added.error());
  if (!without || !legacy_ || at.ip.is_v6()) co_return added;
  std::vector<rule_spec> rules;
  rules.push_back({"FORWARD",
                   {"-d", at.ip.to_string() + "/32", "-p", "tcp", "-m", "tcp", "--dport", std::to_string(at.port), "-m",
                    "comment", "--comment", comment_, "-j", "REJECT", "--reject-with", "tcp-reset"}});
  co_return co_await settle_legacy(*legacy_, std::move(rules));
}

async::task<base::result<>> forward_guard::remove() {
  base::result<> result;
  for (const auto& any : {net::address::any_v4(), net::address::any_v6()}) {
    auto removed = guard_at({any, 0}).remove();
    const bool without = !removed && is_without_nftables(removed.error());
    if (without && legacy_) co_return co_await settle_legacy(*legacy_, {});
    if (!removed && result) result = std::move(removed);
  }
  co_return result;
}

}  // namespace netfilter
