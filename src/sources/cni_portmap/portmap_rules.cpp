#include "sources/cni_portmap/portmap_rules.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/plain_name.hpp"
#include "base/text.hpp"
#include "kernel/netfilter/nat_rule.hpp"
#include "kernel/netfilter/portmap_comment.hpp"
#include "net/protocol.hpp"
#include "ports/serving.hpp"

namespace cni_portmap {
namespace {

using netfilter::family;
using netfilter::nat_chain;
using netfilter::nat_rule;

constexpr std::size_t longest_id = 200;

bool is_ours(const nat_rule& r) {
  return r.comment.starts_with(netfilter::own_tag) && r.comment.substr(netfilter::own_tag.size()).starts_with(':');
}

bool is_plain(std::string_view id) { return base::is_plain_name(id, longest_id, "/"); }

// Kubernetes' runtime names a pod by 64 hexadecimal digits; nerdctl prefixes the container's namespace.
bool is_pod(std::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string container_of(std::string_view comment) {
  const auto read = netfilter::read_portmap_comment(comment);
  return read ? base::printable(read->id) : std::string();
}

std::string describe(const nat_rule& r) {
  return fmt::format("{}/{}", r.port, r.protocol ? net::to_string(*r.protocol) : "any");
}

// Why the rule is not one port of one address to one target; empty if it is.
std::string find_fault(const nat_rule& r) {
  if (!r.unclear.empty()) return "the DNAT rule has " + r.unclear;
  if (!r.protocol) return "the DNAT rule has no protocol";
  return r.port == 0 ? "the DNAT rule has no port" : "";
}

}  // namespace

std::vector<std::string> container_chains(const std::vector<nat_rule>& dispatch) {
  std::vector<std::string> found;
  std::set<std::string_view> known;
  for (const auto& r : dispatch)
    if (r.jump.starts_with(container_prefix) && found.size() < max_chains && known.insert(r.jump).second)
      found.push_back(r.jump);
  return found;
}

void portmap_ports::add_iptables(const std::vector<nat_chain>& chains, family which) {
  std::map<std::string_view, const nat_chain*> by_name;
  for (const auto& c : chains) by_name.emplace(c.name, &c);
  const auto dispatch = by_name.find(dispatch_chain);
  if (dispatch == by_name.end()) return;
  std::map<std::string_view, std::string> names;
  for (const auto& r : dispatch->second->rules) names.try_emplace(r.jump, container_of(r.comment));
  for (const auto& name : container_chains(dispatch->second->rules)) {
    const auto chain = by_name.find(name);
    if (chain == by_name.end()) continue;
    const container of{is_plain(name) ? name : base::printable(name, longest_id), names[name]};
    for (const auto& r : chain->second->rules)
      if (!is_ours(r)) add(r, of, which);
  }
}

void portmap_ports::add_nftables(const std::vector<nat_rule>& rules, family which) {
  for (const auto& r : rules) add(r, {is_plain(r.comment) ? r.comment : std::string(nft_table), r.comment}, which);
}

void portmap_ports::add(const nat_rule& rule, const container& of, family which) {
  if (!rule.target) return;
  if (auto fault = find_fault(rule); !rule.protocol || !fault.empty())
    return refuse(of, describe(rule), std::move(fault));
  if (stopped_ && stopped_(of.name))
    return refuse(of, describe(rule), "the container " + base::printable(of.name) + " does not run");
  if (found_.bindings.size() == max_bindings)
    return refuse(of, describe(rule), "the rules publish more than can be forwarded");
  const bool as_service = is_pod(of.name) && !pods_.is_unspecified();
  const auto everywhere = as_service ? pods_ : which == family::ipv4 ? net::address::any_v4() : net::address::any_v6();
  const auto inside = rule.target->port == 0 ? rule.port : rule.target->port;
  found_.bindings.push_back({*rule.protocol, rule.destination.value_or(everywhere), rule.port, inside, of.owner,
                             base::printable(of.name), ports::serving::nat_rule});
}

void portmap_ports::refuse(const container& of, std::string what, std::string why) {
  if (found_.refusals.size() < max_refusals) found_.refusals.push_back({of.owner, std::move(what), std::move(why)});
}

}  // namespace cni_portmap
