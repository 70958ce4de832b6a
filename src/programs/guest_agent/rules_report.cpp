#include "programs/guest_agent/rules_report.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "net/address.hpp"
#include "ports/exposure_policy.hpp"
#include "programs/guest_agent/composition.hpp"
#include "programs/guest_agent/options.hpp"
#include "programs/guest_agent/rules_file.hpp"
#include "protocols/rules_document/document.hpp"
#include "rules/conditions.hpp"
#include "rules/problem.hpp"
#include "rules/rule.hpp"
#include "rules/rules_codec.hpp"

namespace guest_agent {
namespace {

using rules_document::document;

void add_built_in(document& d, const rules::rule& r, std::optional<std::uint64_t> ports = {}) {
  d.built_in.push_back({.text = rules::to_yaml(r), .ports = ports});
}

void add_ignored_listeners(document& d, const options& o, const settings& s) {
  if (!s.listeners) return;
  for (const auto& entry : ignored_listeners(o, s).entries()) {
    rules::rule r;
    r.when.ports = rules::port_range{entry.first, entry.last};
    r.when.protocol = entry.protocol;
    r.when.sources = {"listeners"};
    r.then.ignore = true;
    r.then.note = "-ignore-listeners";
    add_built_in(d, r);
  }
}

void add_service_address(document& d, const options& o, const settings& s) {
  rules::rule r;
  if (o.kubernetes) r.when.sources.emplace_back("kubernetes");
  if (o.iptables) r.when.sources.emplace_back("iptables");
  if (r.when.sources.empty()) return;
  r.then.host_address = s.service_listener;
  r.then.note = "-k8sServiceListenerAddr; a rule of the file goes before";
  add_built_in(d, r);
}

void add_mode(document& d, const settings& s, const ports::exposure_plan& plan) {
  if (s.policy.mode != ports::network_mode::non_admin) return;
  rules::rule all;
  all.then.host_address = net::address::loopback_v4();
  all.then.note = "without -adminInstall every port of the host is at 127.0.0.1";
  add_built_in(d, all);
  if (!s.policy.restrict_privileged_ports) return;
  rules::rule low;
  low.when.ports = rules::port_range{1, 1023};
  low.then.ignore = true;
  low.then.note = "-restrictPrivilegedPorts: about the port on the host";
  const auto restricted = std::ranges::count(plan.ports, ports::verdict::restricted, &ports::planned_port::decision);
  add_built_in(d, low, static_cast<std::uint64_t>(restricted));
}

std::vector<std::uint64_t> count_decisions(const ports::exposure_plan& plan, std::size_t rules) {
  std::vector<std::uint64_t> counts(rules);
  for (const auto& port : plan.ports)
    if (port.rule_number && *port.rule_number < rules) ++counts[*port.rule_number];
  return counts;
}

}  // namespace

document describe_rules(const std::string& file, const rules_state& state, const ports::exposure_plan& plan,
                        const options& o, const settings& s) {
  document d{.file = file, .trouble = state.trouble};
  for (const auto& w : state.warnings) d.warnings.push_back(to_string(w));
  const auto all = state.active->rules();
  const auto counts = count_decisions(plan, all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    d.rules.push_back({.text = rules::to_yaml(all[i]), .line = state.active->line(i), .ports = counts[i]});
  add_ignored_listeners(d, o, s);
  add_service_address(d, o, s);
  add_mode(d, s, plan);
  return d;
}

}  // namespace guest_agent
