#include "sinks/loopback/rejected_rules.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/nat_tool.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace loopback {

bool rejected_rules::note_failure(const rule_plan& plan, const base::error& why, time_point now) {
  const auto number = netfilter::rejected_line(why.context);  // the first line is "*nat"
  if (!number || *number < 2 || *number - 2 >= plan.change.lines.size()) return false;
  const auto& line = plan.change.lines[*number - 2];
  if (line != std::exchange(suspect_, line)) return false;
  base::log::error("loopback", "iptables rejected a rule rule=\"{}\" reason=\"{}\"", line, why.message());
  const auto& key = plan.owners[*number - 2];
  if (key.port != 0)
    until_[key] = now + lasts;
  else
    all_until_ = now + lasts;
  return true;
}

std::set<ports::port_key> rejected_rules::ports(time_point now) {
  std::erase_if(until_, [now](const auto& item) { return item.second <= now; });
  std::set<ports::port_key> keys;
  for (const auto& [key, until] : until_) keys.insert(key);
  return keys;
}

std::optional<rejected_rules::time_point> rejected_rules::next_end(time_point now) const {
  std::optional<time_point> first;
  if (all(now)) first = all_until_;
  for (const auto& [key, until] : until_)
    if (until > now) first = std::min(first.value_or(until), until);
  return first;
}

}  // namespace loopback
