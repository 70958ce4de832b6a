#include "sinks/loopback/engine_rules.hpp"

#include <algorithm>

namespace loopback {
namespace {

dnat without_destination(dnat d) {
  d.destination.reset();
  return d;
}

}  // namespace

rule canonical(rule r) {
  std::ranges::sort(r.words);
  return r;
}

engine_rules::engine_rules(const nat_table& table, const rule_options& options) : tag_(options.tag + ':') {
  std::set<std::string_view> jumps;
  const std::set<std::string_view> chains(table.chains.begin(), table.chains.end());
  for (std::size_t i = 0; i < table.rules.size(); ++i) {
    const auto& r = table.rules[i];
    if (r.chain != "PREROUTING" || !chains.contains(jump_of(r))) continue;
    jumps.insert(jump_of(r));
    last_jump_ = i + 1;
  }
  for (const auto& engine : options.engines)
    if (jumps.contains(engine.jump)) chains_.push_back(engine.rules);
  active_ = !chains_.empty();
  for (std::size_t i = 0; i < table.rules.size(); ++i) add(table.rules[i], i + 1);
}

bool engine_rules::is_engine_chain(std::string_view name) const {
  return std::ranges::any_of(chains_, [name](std::string_view pattern) {
    return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
  });
}

void engine_rules::add(const rule& r, std::size_t position) {
  if (comment_of(r).starts_with(tag_)) return ours_.push_back({&r, position});
  if (!is_engine_chain(r.chain)) return;
  const auto d = read_dnat(r);
  if (!d || !d->destination) return;
  by_key_.try_emplace({d->protocol, *d->destination, d->port}, &r);
  by_target_[without_destination(*d)].insert(*d->destination);
  last_[{r.chain, d->protocol, d->port}] = position;
}

const rule* engine_rules::find(const ports::port_key& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

std::vector<net::address> engine_rules::addresses(const dnat& of) const {
  const auto found = by_target_.find(without_destination(of));
  if (found == by_target_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::size_t engine_rules::last_position(const std::string& chain, net::protocol protocol, std::uint16_t port) const {
  const auto found = last_.find({chain, protocol, port});
  return found == last_.end() ? 0 : found->second;
}

}  // namespace loopback
