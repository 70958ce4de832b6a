#include "sinks/loopback/engine_rules.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/portmap_comment.hpp"
#include "net/address.hpp"
#include "ports/binding.hpp"
#include "ports/serving.hpp"
#include "sinks/loopback/rule_options.hpp"

namespace loopback {
namespace {

netfilter::dnat without_destination(netfilter::dnat d) {
  d.destination.reset();
  return d;
}

}  // namespace

engine_rules::engine_rules(const netfilter::nat_table& table, const rule_options& options) {
  const auto own_mark = options.tag + ':';
  std::set<std::string_view> jumps;
  for (const auto& r : table.rules)
    if (r.chain == "PREROUTING") jumps.insert(netfilter::jump_of(r));
  for (const auto& engine : options.engines)
    if (jumps.contains(engine.jump) && table.has_chain(engine.jump)) engines_.push_back(&engine);
  for (const auto& r : table.rules) note_owner(r);
  for (const auto& r : table.rules)
    if (!netfilter::comment_of(r).starts_with(own_mark)) add(r);
}

const engine_chain* engine_rules::engine_of(std::string_view chain) const {
  const auto found = std::ranges::find_if(
      engines_, [chain](const auto* e) { return netfilter::publishing_chains{e->jump, e->rules}.contain(chain); });
  return found == engines_.end() ? nullptr : *found;
}

ports::serving engine_rules::serving_of(const netfilter::dnat& of) const {
  const auto found = by_target_.find(without_destination(of));
  return found == by_target_.end() ? ports::serving::rule_and_proxy : found->second.served;
}

// `-A CNI-HOSTPORT-DNAT -m comment --comment "dnat name: \"bridge\" id: \"default-web\"" … -j CNI-DN-…`
void engine_rules::note_owner(const netfilter::rule_spec& r) {
  const auto comment = netfilter::read_portmap_comment(netfilter::comment_of(r));
  if (!comment || !comment->complete || comment->id.empty()) return;
  const auto chain = netfilter::jump_of(r);
  const auto* engine = engine_of(chain);
  if (engine != nullptr && r.chain == engine->jump) owners_.emplace(chain, comment->id);
}

void engine_rules::add(const netfilter::rule_spec& r) {
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
  std::string cni_owner(owner);  // the source writes "<namespace>/<id>"
  if (const auto slash = cni_owner.find('/'); slash != std::string::npos) cni_owner[slash] = '-';
  const auto [first, last] = by_key_.equal_range(key);
  const auto live = std::find_if(first, last, [&](const auto& one) {
    const auto known = owners_.find(one.second->chain);
    return owner.empty() || known == owners_.end() || known->second == cni_owner || one.second->chain == owner;
  });
  return live == last ? nullptr : live->second;
}

std::vector<net::address> engine_rules::addresses(const netfilter::dnat& of) const {
  const auto found = by_target_.find(without_destination(of));
  if (found == by_target_.end()) return {};
  return {found->second.addresses.begin(), found->second.addresses.end()};
}

std::size_t count_published(const engine_rules& rules, const wanted_ports& wanted) {
  return static_cast<std::size_t>(std::ranges::count_if(
      wanted, [&rules](const auto& item) { return rules.find(item.first, item.second.owner.str()) != nullptr; }));
}

}  // namespace loopback
