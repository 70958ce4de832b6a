// table_change: what to change in a nat table, in one transaction by iptables-restore and a second one by handle.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "kernel/netfilter/nft_removal_codec.hpp"

namespace netfilter {

struct table_change {
  std::vector<std::string> lines{};    // for iptables-restore, in order
  std::vector<rule_place> removals{};  // after the lines: rules whose handles are known
  std::set<std::string> grown{};       // the chains to which the lines add

  [[nodiscard]] bool empty() const { return lines.empty() && removals.empty(); }
};

}  // namespace netfilter
