#include "kernel/netfilter/table_scope.hpp"

#include <algorithm>
#include <string_view>

namespace netfilter {

bool publishing_chains::contain(std::string_view chain) const {
  const std::string_view pattern = rules;
  return has_prefix() ? chain.starts_with(pattern.substr(0, pattern.size() - 1)) : chain == pattern;
}

bool table_scope::contains(std::string_view chain, std::string_view line) const {
  if (chain == "PREROUTING" || chain == tag || line.contains(tag)) return true;
  return std::ranges::any_of(engines, [chain](const auto& e) { return chain == e.jump || e.contain(chain); });
}

}  // namespace netfilter
