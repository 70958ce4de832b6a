#include "sinks/loopback/engine_rules.hpp"

#include <algorithm>

#include "kernel/netfilter/portmap_comment.hpp"

namespace loopback {
namespace {

netfilter::dnat without_destination(netfilter::dnat d) {
  d.destination.reset();
  return d;
}

bool is_rules_chain(const engine_chain& engine, std::string_view chain) {
  const std::string_view pattern = engine.rules;
  return pattern.ends_with('*') ? chain.starts_with(pattern.substr(0, pattern.size() - 1)) : chain == pattern;
}

}  // namespace

bool concerns_us(std::string_view chain, std::string_view line, const rule_options& options) {
  if (chain == "PREROUTING" || chain == options.tag || line.find(options.tag) != std::string_view::npos) return true;
  return std::ranges::any_of(options.engines,
                             [chain](const auto& e) { return chain == e.jump || is_rules_chain(e, chain); });
}

engine_rules::engine_rules(const netfilter::nat_table& table, const rule_options& options) : tag_(options.tag + ':') {
  std::set<std::string_view> jumps;
  const std::set<std::string_view> chains(table.chains.begin(), table.chains.end());
  has_own_chain_ = chains.contains(options.tag);
  for (std::size_t i = 0; i < table.rules.size(); ++i) {
    const auto& r = table.rules[i];
    if (r.chain != "PREROUTING" || !chains.contains(netfilter::jump_of(r)) || netfilter::jump_of(r) == options.tag)
      continue;
    jumps.insert(netfilter::jump_of(r));
    last_jump_ = i + 1;
  }
  for (const auto& engine : options.engines)
    if (jumps.contains(engine.jump)) engines_.push_back(&engine);
  for (const auto& r : table.rules) learn_owner(r);
  for (std::size_t i = 0; i < table.rules.size(); ++i)
    add(table.rules[i], i + 1, i < table.handles.size() ? table.handles[i] : 0);
}

const engine_chain* engine_rules::engine_of(std::string_view chain) const {
  const auto found = std::ranges::find_if(engines_, [chain](const auto* e) { return is_rules_chain(*e, chain); });
  return found == engines_.end() ? nullptr : *found;
}

ports::serving engine_rules::serving_of(const netfilter::dnat& of) const {
  const auto found = by_target_.find(without_destination(of));
  return found == by_target_.end() ? ports::serving::rule_and_proxy : found->second.served;
}

// `-A CNI-HOSTPORT-DNAT -m comment --comment "dnat name: \"bridge\" id: \"default-web\"" … -j CNI-DN-…`
void engine_rules::learn_owner(const netfilter::rule_spec& r) {
  const auto comment = netfilter::read_portmap_comment(netfilter::comment_of(r));
  if (!comment || !comment->complete || comment->id.empty()) return;
  const auto chain = netfilter::jump_of(r);
  const auto* engine = engine_of(chain);
  if (engine != nullptr && r.chain == engine->jump) owners_.emplace(chain, comment->id);
}

void engine_rules::add(const netfilter::rule_spec& r, std::size_t position, std::uint64_t handle) {
  if (netfilter::comment_of(r).starts_with(tag_)) return ours_.push_back({&r, position, handle});
  const auto* engine = engine_of(r.chain);
  if (engine == nullptr) return;
  const auto d = netfilter::read_dnat(r);
  if (!d || !d->destination) return;
  by_key_.emplace(ports::port_key{d->protocol, *d->destination, d->port}, &r);
  auto& known = by_target_[without_destination(*d)];
  known.addresses.insert(*d->destination);
  known.served = engine->served;
}

const netfilter::rule_spec* engine_rules::find(const ports::port_key& key, std::string_view owner) const {
  std::string as_cni_has_it(owner);  // "<namespace>/<id>" is the source's way
  if (const auto slash = as_cni_has_it.find('/'); slash != std::string::npos) as_cni_has_it[slash] = '-';
  const auto [first, last] = by_key_.equal_range(key);
  const auto live = std::find_if(first, last, [&](const auto& one) {
    const auto known = owners_.find(one.second->chain);
    return owner.empty() || known == owners_.end() || known->second == as_cni_has_it || one.second->chain == owner;
  });
  return live == last ? nullptr : live->second;
}

std::vector<net::address> engine_rules::addresses(const netfilter::dnat& of) const {
  const auto found = by_target_.find(without_destination(of));
  if (found == by_target_.end()) return {};
  return {found->second.addresses.begin(), found->second.addresses.end()};
}

}  // namespace loopback
