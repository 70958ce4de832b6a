#include "kernel/netfilter/own_rules.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "net/address.hpp"

namespace netfilter {
namespace {

bool leads_to_loopback(const own_rule& own) {
  const auto& words = own.spec->words;
  const auto option = std::ranges::find(words, "--to-destination");
  if (option == words.end() || option + 1 == words.end()) return false;
  const auto to = net::address::parse(option[1]);
  return to && to->is_loopback();
}

}  // namespace

own_rules::own_rules(const nat_table& table, std::string tag) : tag_(std::move(tag)) {
  const std::set<std::string_view> chains(table.chains.begin(), table.chains.end());
  has_chain_ = chains.contains(tag_);
  const auto mark = tag_ + ':';
  for (std::size_t i = 0; i < table.rules.size(); ++i) {
    const auto& r = table.rules[i];
    if (r.chain == "PREROUTING" && chains.contains(jump_of(r)) && jump_of(r) != tag_) last_foreign_jump_ = i + 1;
    const auto handle = i < table.handles.size() ? table.handles[i] : 0;
    if (comment_of(r).starts_with(mark)) all_.push_back({&r, i + 1, handle});
  }
}

bool own_rules::lead_to_loopback() const { return std::ranges::any_of(all_, leads_to_loopback); }

}  // namespace netfilter
