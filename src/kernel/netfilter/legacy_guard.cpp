#include "kernel/netfilter/legacy_guard.hpp"

#include <algorithm>
#include <expected>
#include <ranges>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/legacy_table.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/nat_tool.hpp"

namespace netfilter {
namespace {

bool is_at_head(const std::vector<rule_spec>& all, const std::vector<rule_spec>& wanted) {
  if (all.size() < wanted.size()) return false;
  return std::ranges::equal(wanted, all | std::views::take(wanted.size()), {}, canonical, canonical);
}

}  // namespace

async::task<base::result<>> settle_legacy_guard(nat_tool tool, legacy_place place, std::vector<rule_spec> wanted) {
  const auto there = has_legacy_table(family::ipv4, place.table);
  if (wanted.empty() && there && !*there) co_return base::result<>{};
  const auto table = co_await tool.read_chains({place.chain}, place.table);
  if (!table) co_return std::unexpected(table.error());
  std::vector<std::string> lines;
  for (const auto& r : table->rules)
    if (comment_of(r).starts_with(place.comment)) lines.push_back(delete_line(r));
  if (lines.size() == wanted.size() && is_at_head(table->rules, wanted)) co_return base::result<>{};
  for (const auto& r : wanted | std::views::reverse) lines.push_back("-I" + append_line(r).substr(2));
  const auto changed = co_await tool.change(std::move(lines), place.table);
  if (!changed) co_return std::unexpected(changed.error());
  co_return base::result<>{};
}

}  // namespace netfilter
