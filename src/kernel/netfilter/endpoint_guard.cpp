#include "kernel/netfilter/endpoint_guard.hpp"

#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <expected>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/netfilter/guard_codec.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nft_reader.hpp"
#include "kernel/netlink/socket.hpp"

namespace netfilter {
namespace {

base::result<> transact(std::vector<std::byte> request) {
  auto kernel = netlink::socket::open(NETLINK_NETFILTER);
  if (!kernel) return std::unexpected(kernel.error());
  return kernel->transact({.request = std::move(request), .name = "guard table in nftables"}, guard_acknowledged);
}

}  // namespace

base::result<bool> endpoint_guard::is_up() const {
  auto kernel = nft_reader::open();
  if (!kernel) return std::unexpected(kernel.error());
  const auto rules = kernel->read({rule_.which(), rule_.table, std::string(rule_.chain())});
  if (!rules) return std::unexpected(rules.error());
  const auto comments = rule_.comments();
  if (!std::ranges::equal(*rules, comments, {}, &nat_rule::comment)) return false;
  return rule_.whose == guarded::for_loopback ||
         (rules->front().port == rule_.refused.port && rules->front().destination == rule_.refused.ip);
}

base::result<> endpoint_guard::ensure() const {
  const auto up = is_up();
  if (!up) return std::unexpected(up.error());
  if (*up) return {};
  auto made = transact(guard_request(rule_, refusal::reset));
  if (!made && made.error().code == std::errc::no_such_file_or_directory)
    made = transact(guard_request(rule_, refusal::drop));
  return made;
}

base::result<> endpoint_guard::remove() const {
  auto removed = transact(guard_removal_request(rule_));
  const bool none = !removed && removed.error().code == std::errc::no_such_file_or_directory;
  return none ? base::result<>{} : removed;
}

}  // namespace netfilter
